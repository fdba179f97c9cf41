-- One address × channel; the earliest reason stays.
insert into marketing.suppressions as known (address_hash, channel, reason, since)
values (:address_hash, :channel, :reason, :since)
on conflict (address_hash, channel) do update
set reason = excluded.reason, since = excluded.since
where excluded.since < known.since

-- One address × channel; the earliest reason stays. After an operator's release only a later reason counts.
insert into marketing.suppressions as known (address_hash, channel, reason, since)
values (:address_hash, :channel, :reason, :since)
on conflict (address_hash, channel) do update
set reason = excluded.reason, since = excluded.since
where
    (known.released_at is null or excluded.since > known.released_at)
    and (excluded.since < known.since or known.since <= known.released_at)

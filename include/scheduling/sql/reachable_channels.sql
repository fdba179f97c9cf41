-- One row per customer of the date × channel: what stands in the way of a message, as of the end of the date.
with latest_consents as (
    select distinct on (customer_id, channel) customer_id, channel, granted
    from marketing.consents
    where occurred_at < :end_of_day
    order by customer_id, channel, occurred_at desc
)

select
    f.customer_id,
    f.segment,
    coalesce(z.name, :default_zone) as time_zone,
    channels.channel,
    coalesce(l.granted, false) as has_consent,
    a.address is not null as has_address,
    s.reason as suppressed_for
from marketing.customer_features as f
cross join unnest(cast(:channels as text[])) as channels (channel)
left join marketing.customers as c on f.customer_id = c.customer_id
left join pg_timezone_names as z on c.time_zone = z.name
left join latest_consents as l on f.customer_id = l.customer_id and channels.channel = l.channel
left join marketing.addresses as a on f.customer_id = a.customer_id and channels.channel = a.channel
left join marketing.suppressions as s
    on
        channels.channel = s.channel
        and a.address_hash = s.address_hash
        and s.since <= :end_of_day
        and (s.released_at is null or s.since > s.released_at)
where f.business_date = :business_date
order by f.customer_id collate "C", channels.channel

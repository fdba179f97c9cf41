-- One row per customer of the date, counted from 0 by id, byte by byte: what stands in the way of a message on each
-- channel as of the end of the date; null: nothing.
drop table if exists pg_temp.people_of_night;

create temporary table people_of_night on commit drop as
with latest_consents as (
    select distinct on (customer_id, channel)
        customer_id,
        channel,
        granted
    from marketing.consents
    where occurred_at < :end_of_day
    order by customer_id, channel, occurred_at desc
),

reached as (
    select
        a.customer_id,
        a.channel,
        s.reason as suppressed_for
    from marketing.addresses as a
    left join marketing.suppressions as s
        on
            a.channel = s.channel
            and a.address_hash = s.address_hash
            and s.since <= :end_of_day
            and (s.released_at is null or s.since > s.released_at)
)

select
    cast(row_number() over (order by f.customer_id collate "C") - 1 as integer) as place,
    f.customer_id,
    coalesce(z.name, :default_zone) as time_zone,
    f.expected_value,
    case
        when le.granted is not true then 'no_consent'
        when re.customer_id is null then 'no_address'
        else re.suppressed_for
    end as email,
    case
        when lp.granted is not true then 'no_consent'
        when rp.customer_id is null then 'no_address'
        else rp.suppressed_for
    end as app_push
from marketing.customer_features as f
left join marketing.customers as c on f.customer_id = c.customer_id
left join pg_timezone_names as z on c.time_zone = z.name
left join latest_consents as le on f.customer_id = le.customer_id and le.channel = 'email'
left join latest_consents as lp on f.customer_id = lp.customer_id and lp.channel = 'app_push'
left join reached as re on f.customer_id = re.customer_id and re.channel = 'email'
left join reached as rp on f.customer_id = rp.customer_id and rp.channel = 'app_push'
where f.business_date = :business_date;

create unique index on people_of_night (customer_id);

analyze people_of_night

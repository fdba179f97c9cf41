-- Grain: one row per customer of the customers table or of an event. Numbers, once given, stay. A zone that is missing,
-- or that Postgres does not know, gives way to the default.
with zones as (
    select distinct time_zone from marketing.customers where time_zone is not null
),

known_zones as (
    -- pg_timezone_names reads the whole zone database from disk, so it is asked once.
    select time_zone from zones where time_zone in (select name from pg_timezone_names)
),

everyone as (
    select customer_id from marketing.customers
    union
    select customer_id from read_events
    union
    select customer_id from marketing.feature_customers
),

zoned as (
    select everyone.customer_id, coalesce(known_zones.time_zone, cast(:customer_time_zone as text)) as time_zone
    from everyone
    left join marketing.customers on everyone.customer_id = customers.customer_id
    left join known_zones on customers.time_zone = known_zones.time_zone
),

changed as (
    select zoned.customer_id, zoned.time_zone
    from zoned
    left join marketing.feature_customers using (customer_id)
    where feature_customers.time_zone is distinct from zoned.time_zone
)

insert into marketing.feature_customers (customer_no, customer_id, time_zone)
select
    (select coalesce(max(customer_no), 0) from marketing.feature_customers)
    + row_number() over (order by customer_id collate "C"),
    customer_id,
    time_zone
from changed
on conflict (customer_id) do update set time_zone = excluded.time_zone;

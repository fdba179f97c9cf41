-- Grain: one row per customer: every row of customers, and every customer with an event before the end of the
-- business date. A zone that is missing, or that Postgres does not know, gives way to the default.
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
    select distinct customer_id from marketing.events where occurred_at < cast(:end_of_day as timestamptz)
)

insert into feature_customers (customer_no, customer_id, time_zone)
select
    row_number() over (order by everyone.customer_id),
    everyone.customer_id,
    coalesce(known_zones.time_zone, cast(:customer_time_zone as text))
from everyone
left join marketing.customers on everyone.customer_id = customers.customer_id
left join known_zones on customers.time_zone = known_zones.time_zone;

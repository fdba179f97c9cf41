-- Grain: customer whose zone is another now than when the hours were counted.
insert into moved_customers (customer_id)
with zones as (
    select distinct time_zone from marketing.customers where time_zone is not null
),

known_zones as (
    -- pg_timezone_names reads the whole zone database from disk, so it is asked once.
    select time_zone from zones where time_zone in (select name from pg_timezone_names)
)

select numbered.customer_id
from marketing.feature_customers as numbered
left join marketing.customers using (customer_id)
left join known_zones on customers.time_zone = known_zones.time_zone
where numbered.time_zone <> coalesce(known_zones.time_zone, cast(:customer_time_zone as text));

-- Grain: one row per run of consecutive days to read, as instants in text, since they may lie outside Python's years.
with numbered as (
    select business_day, business_day - cast(row_number() over (order by business_day) as integer) as island
    from read_days
)

select
    cast(cast(min(business_day) as timestamp) at time zone cast(:business_time_zone as text) as text) as range_from,
    cast(cast(max(business_day) + 1 as timestamp) at time zone cast(:business_time_zone as text) as text) as range_until
from numbered
group by island
order by min(business_day);

-- Grain: one row per business day to aggregate anew: days of the business's zone that a load since the last build
-- touched, or that have an event which was set aside or no longer is, and days not reached before.
insert into read_days (business_day)
with utc_days as (
    select utc_day from marketing.changed_event_days where file_id > cast(:known_file_id as bigint)
    union
    select coalesce(present.utc_day, former.utc_day)
    from present_exclusions as present
    full join marketing.feature_exclusions as former on present.event_id = former.event_id
    where present.event_id is null or former.event_id is null
),

spans as (
    select
        cast(
            (cast(utc_day as timestamp) at time zone 'UTC') at time zone cast(:business_time_zone as text) as date
        ) as first_day,
        cast(
            (cast(utc_day as timestamp) + interval '1 day' - interval '1 microsecond') at time zone 'UTC'
            at time zone cast(:business_time_zone as text) as date
        ) as last_day
    from utc_days
)

select cast(days.business_day as date)
from spans
cross join generate_series(cast(first_day as timestamp), cast(last_day as timestamp), interval '1 day')
    as days (business_day)
union
select cast(days.business_day as date)
from generate_series(
    cast(cast(:aggregated_until as date) + 1 as timestamp),
    cast(cast(:business_date as date) as timestamp),
    interval '1 day'
) as days (business_day);

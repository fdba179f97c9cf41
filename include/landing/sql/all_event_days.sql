-- Grain: one row per UTC day with an event. Steps from day to day through the index, however many events a day has.
with recursive days as (
    (
        select cast(occurred_at at time zone 'UTC' as date) as utc_day
        from marketing.events
        order by occurred_at
        limit 1
    )
    union all
    select (
        select cast(events.occurred_at at time zone 'UTC' as date)
        from marketing.events
        where events.occurred_at >= cast(days.utc_day + 1 as timestamp) at time zone 'UTC'
        order by events.occurred_at
        limit 1
    )
    from days
    where days.utc_day is not null
)

select utc_day
from days
where utc_day is not null

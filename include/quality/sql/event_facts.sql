-- One row: what is to be known about the business date's events as a whole.
select
    volume.today as events_on_date,
    -- Events of the date over the median of the same weekday in the eight weeks before; 1 without such a past.
    coalesce(volume.today / nullif(volume.median, 0), 1) as volume_ratio,
    -- A million hours stand for "no event at all".
    cast(
        round(coalesce(extract(epoch from cast(:day_end as timestamptz) - newest.occurred_at) / 3600, 1000000), 2)
        as double precision
    ) as hours_since_newest,
    future.events as future_events
from (
    select
        cast(max(weeks.events) filter (where weeks.week = 0) as double precision) as today,
        percentile_cont(0.5) within group (order by weeks.events)
            filter (where weeks.week > 0 and weeks.day >= first.day) as median
    from (
        select
            series.week,
            cast(:business_date as date) - 7 * series.week as day,
            (
                select count(*)
                from marketing.events
                where events.occurred_at >= cast(cast(:business_date as date) - 7 * series.week as timestamp)
                        at time zone :time_zone
                    and events.occurred_at < cast(cast(:business_date as date) - 7 * series.week + 1 as timestamp)
                        at time zone :time_zone
            ) as events
        from generate_series(0, 8) as series (week)
    ) as weeks
    cross join (
        select cast(min(events.occurred_at) at time zone :time_zone as date) as day from marketing.events
    ) as first
) as volume
cross join (
    select max(events.occurred_at) as occurred_at
    from marketing.events
    where events.occurred_at < cast(:day_end as timestamptz)
) as newest
cross join (
    select count(*) as events
    from marketing.events
    inner join marketing.landing_files on landing_files.file_id = events.file_id
    where landing_files.business_date = cast(:business_date as date)
        and events.occurred_at >= cast(:day_end as timestamptz)
) as future

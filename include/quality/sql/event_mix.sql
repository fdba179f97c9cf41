-- One row: how the business date's events are made up beside the same weekday in the eight weeks before. Neutral values
-- unless four of these weeks had events, and 20 of them on a median day, so that a young or tiny shop raises no alarm.
select * from (
with counted as (
    select
        series.week,
        events.event_type,
        cast(count(*) as double precision) as events,
        cast(count(*) filter (where events.item_id is null) as double precision) as without_item,
        cast(count(*) filter (where coalesce(events.unit_price, 0) = 0) as double precision) as without_price
    from generate_series(0, 8) as series (week)
    inner join marketing.events
        on events.occurred_at >= cast(cast(:business_date as date) - 7 * series.week as timestamp)
                at time zone :time_zone
            and events.occurred_at < cast(cast(:business_date as date) - 7 * series.week + 1 as timestamp)
                at time zone :time_zone
    group by series.week, events.event_type
)

select
    case when facts.is_known then facts.today / facts.median else 1 end as volume_against_usual,
    case when facts.is_known and facts.today >= 100 then facts.distance else 0 end as type_distance,
    -- The same, for the warning at half its limit.
    case when facts.is_known and facts.today >= 100 then facts.distance else 0 end as type_distance_half,
    -- Of a type that was 20 or more by its past share.
    case
        when facts.is_known and facts.purchases_expected >= 20 then facts.purchases / facts.purchases_expected else 1
    end as purchases_against_usual,
    case when facts.is_known then facts.vanished else 0 end as vanished_types,
    case
        when facts.is_known and facts.purchases >= 20
            then greatest(facts.item_missing - facts.past_item_missing, 0)
        else 0
    end as more_missing_items,
    case
        when facts.is_known and facts.purchases >= 20
            then greatest(facts.price_missing - facts.past_price_missing, 0)
        else 0
    end as more_missing_prices
from (
    select
        coalesce(max(volume.today), 0) as today,
        max(volume.median) as median,
        coalesce(bool_and(volume.weeks >= 4 and volume.median >= 20), false) as is_known,
        coalesce(sum(abs(types.today_share - types.past_share)), 0) / 2 as distance,
        coalesce(max(types.today) filter (where types.event_type = 'purchase'), 0) as purchases,
        coalesce(max(types.past_share * volume.today) filter (where types.event_type = 'purchase'), 0)
            as purchases_expected,
        count(*) filter (where types.past_share * volume.today >= 20 and types.today = 0) as vanished,
        coalesce(max(types.item_missing) filter (where types.event_type = 'purchase'), 0) as item_missing,
        coalesce(max(types.past_item_missing) filter (where types.event_type = 'purchase'), 0) as past_item_missing,
        coalesce(max(types.price_missing) filter (where types.event_type = 'purchase'), 0) as price_missing,
        coalesce(max(types.past_price_missing) filter (where types.event_type = 'purchase'), 0) as past_price_missing
    from (
        select
            counted.event_type,
            coalesce(sum(counted.events) filter (where counted.week = 0), 0) as today,
            coalesce(sum(counted.events) filter (where counted.week = 0), 0)
                / nullif(sum(sum(counted.events) filter (where counted.week = 0)) over (), 0) as today_share,
            coalesce(sum(counted.events) filter (where counted.week > 0), 0)
                / nullif(sum(sum(counted.events) filter (where counted.week > 0)) over (), 0) as past_share,
            sum(counted.without_item) filter (where counted.week = 0)
                / nullif(sum(counted.events) filter (where counted.week = 0), 0) as item_missing,
            sum(counted.without_item) filter (where counted.week > 0)
                / nullif(sum(counted.events) filter (where counted.week > 0), 0) as past_item_missing,
            sum(counted.without_price) filter (where counted.week = 0)
                / nullif(sum(counted.events) filter (where counted.week = 0), 0) as price_missing,
            sum(counted.without_price) filter (where counted.week > 0)
                / nullif(sum(counted.events) filter (where counted.week > 0), 0) as past_price_missing
        from counted
        group by counted.event_type
    ) as types
    cross join (
        select
            coalesce(sum(days.events) filter (where days.week = 0), 0) as today,
            percentile_cont(0.5) within group (order by days.events) filter (where days.week > 0) as median,
            count(*) filter (where days.week > 0) as weeks
        from (select week, sum(events) as events from counted group by week) as days
    ) as volume
) as facts
) as mix

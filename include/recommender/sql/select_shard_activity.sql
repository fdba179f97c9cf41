-- Grain: one row per event with an item before lamplighter.end_of_day, of the customers of the shard. Columns as in
-- select_activity.
select
    customer_id,
    events.item_id,
    events.event_type,
    cast(
        events.occurred_at at time zone (select current_setting('lamplighter.business_time_zone')) as date
    ) - date '1970-01-01' as business_day
from marketing.counted_events as events
inner join shard_customers using (customer_id)
where
    events.occurred_at < (select cast(current_setting('lamplighter.end_of_day') as timestamptz))
    and events.item_id is not null

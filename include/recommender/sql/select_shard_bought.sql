-- Grain: one row per customer of the shard and item ever bought before lamplighter.end_of_day.
-- From events, since interactions drops what was bought and returned. Nobody returns what was not bought.
select distinct events.customer_id, events.item_id
from marketing.counted_events as events
inner join shard_customers using (customer_id)
where
    events.occurred_at < (select cast(current_setting('lamplighter.end_of_day') as timestamptz))
    and events.event_type in ('purchase', 'return')
    and events.item_id is not null

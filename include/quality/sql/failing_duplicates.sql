-- One row per judged event that repeats another under a different id: all that tells events apart is the same. The first
-- landed is kept, the others are set aside. Searches and views count as repeated to the microsecond only.
select
    'events' as table_name,
    'duplicate' as rule,
    'event_id' as column_name,
    events.event_id as row_key,
    events.file_id,
    events.row_number,
    'repeats an earlier row under another event_id' as reason,
    true as is_set_aside
from marketing.events
where events.occurred_at < cast(:day_end as timestamptz)
    and (
        events.occurred_at >= cast(:unjudged_since as timestamptz)
        or events.file_id = any(cast(:unjudged_files as bigint[]))
    )
    and exists (
        select
        from marketing.events as first
        where first.customer_id = events.customer_id
            and first.occurred_at = events.occurred_at
            and first.event_type = events.event_type
            and first.item_id is not distinct from events.item_id
            and first.order_id is not distinct from events.order_id
            and first.quantity is not distinct from events.quantity
            and first.unit_price is not distinct from events.unit_price
            and first.query is not distinct from events.query
            and (first.file_id, first.row_number, first.event_id) < (events.file_id, events.row_number, events.event_id)
    )

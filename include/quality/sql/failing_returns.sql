-- One row per judged return of an item that its customer has not bought before. Reported only: the purchase may land
-- late. What is returned in the first 60 days of history may have been bought before them.
select
    'events' as table_name,
    'return_without_purchase' as rule,
    'event_type' as column_name,
    events.event_id as row_key,
    events.file_id,
    events.row_number,
    'is a return of an item that its customer had not bought' as reason,
    false as is_set_aside
from marketing.events
where events.event_type = 'return'
    and events.occurred_at < cast(:day_end as timestamptz)
    and (
        events.occurred_at >= cast(:unjudged_since as timestamptz)
        or events.file_id = any(cast(:unjudged_files as bigint[]))
    )
    and events.occurred_at >= (
        select min(known.occurred_at) + interval '60 days'
        from marketing.events as known
        where known.occurred_at >= cast(:oldest_instant as timestamptz)
    )
    and not exists (
        select
        from marketing.events as bought
        where bought.customer_id = events.customer_id
            and bought.item_id is not distinct from events.item_id
            and bought.event_type = 'purchase'
            and bought.occurred_at <= events.occurred_at
    )

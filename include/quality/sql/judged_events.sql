-- One row per file, event type and whether of the business date: how many events are to be judged. These are all since
-- the last date that passed, and those of files not yet judged, up to the date's end.
select
    events.file_id,
    events.event_type,
    events.occurred_at >= cast(:day_start as timestamptz) as is_of_date,
    count(*) as events,
    count(events.item_id) as with_item,
    count(events.unit_price) as with_price,
    count(events.quantity) as with_quantity
from marketing.events
where events.occurred_at < cast(:day_end as timestamptz)
    and (
        events.occurred_at >= cast(:unjudged_since as timestamptz)
        or events.file_id = any(cast(:unjudged_files as bigint[]))
    )
group by 1, 2, 3

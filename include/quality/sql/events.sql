-- One row per event to be judged: since the last date that passed, or of a file not yet judged, up to the date's end.
-- A column is null where its check does not apply. Unknown customers and items are counted among the business date's
-- events, so that a large history does not hide a bad day; earlier_events.sql looks at the others.
select
    events.event_id,
    events.event_type,
    events.customer_id,
    events.occurred_at,
    events.unit_price,
    case when events.event_type = 'purchase' then events.quantity end as purchase_quantity,
    case when events.event_type = 'purchase' then events.item_id is not null end as purchase_names_item,
    case when events.event_type = 'purchase' then events.unit_price is not null end as purchase_has_price,
    case
        when events.occurred_at >= cast(:day_start as timestamptz) then customers.customer_id is not null
    end as customer_known,
    case
        when events.occurred_at >= cast(:day_start as timestamptz) and events.item_id is not null
            then items.item_id is not null
    end as item_known
from marketing.events
left join marketing.customers on customers.customer_id = events.customer_id
left join marketing.items on items.item_id = events.item_id
where events.occurred_at < cast(:day_end as timestamptz)
    and (
        events.occurred_at >= cast(:unjudged_since as timestamptz)
        or events.file_id = any(cast(:unjudged_files as bigint[]))
    )

-- One row per customer and instant of which a judged event may repeat another, or an earlier night found a repeat: what it
-- repeated may have changed since. On a first night all events are judged, and an index in this very order is read once; on
-- other nights each judged event looks for its like.
select
    events.customer_id,
    events.occurred_at
from marketing.events
where cast(:unjudged_since as timestamptz) = '-infinity'
    and events.occurred_at < cast(:day_end as timestamptz)
group by events.customer_id, events.occurred_at
having count(*) > 1
union
select
    events.customer_id,
    events.occurred_at
from marketing.events
where cast(:unjudged_since as timestamptz) > '-infinity'
    and events.occurred_at < cast(:day_end as timestamptz)
    and (
        events.occurred_at >= cast(:unjudged_since as timestamptz)
        or events.file_id = any(cast(:unjudged_files as bigint[]))
    )
    and exists (
        select
        from marketing.events as others
        where others.customer_id = events.customer_id
            and others.occurred_at = events.occurred_at
            and others.event_id <> events.event_id
    )
union
select
    events.customer_id,
    events.occurred_at
from marketing.quality_failures as former
inner join marketing.events on events.event_id = former.row_key
where former.table_name = 'events'
    and former.rule = 'duplicate'
    and former.business_date <> cast(:business_date as date)

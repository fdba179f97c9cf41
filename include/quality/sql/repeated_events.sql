-- One row per event that repeats another under a different id: all that tells events apart is the same, its instant to the
-- microsecond. The one of the earliest folder and file is no repeat; file_id, which a reload changes, does not count.
select
    alike.event_id,
    alike.file_id,
    alike.row_number,
    alike.occurred_at < cast(:day_end as timestamptz)
    and (
        alike.occurred_at >= cast(:unjudged_since as timestamptz)
        or alike.file_id = any(cast(:unjudged_files as bigint[]))
    ) as is_judged
from (
    select
        events.event_id,
        events.file_id,
        events.row_number,
        events.occurred_at,
        row_number() over (
            partition by
                events.customer_id,
                events.occurred_at,
                events.event_type,
                events.item_id,
                events.order_id,
                events.quantity,
                events.unit_price,
                events.query
            order by landing_files.business_date, landing_files.file collate "C", events.row_number, events.event_id
        ) as place
    from (
        -- A whole basket has one instant in some shops: what else tells its events apart is compared by a hash, and only
        -- the few of one hash are then put in order.
        select
            candidates.customer_id,
            candidates.occurred_at,
            candidates.content
        from (
            select
                known.customer_id,
                known.occurred_at,
                hash_record_extended(
                    row(known.event_type, known.item_id, known.order_id, known.quantity, known.unit_price, known.query), 0
                ) as content
            from repeated_moments
            inner join marketing.events as known
                on known.customer_id = repeated_moments.customer_id and known.occurred_at = repeated_moments.occurred_at
        ) as candidates
        group by candidates.customer_id, candidates.occurred_at, candidates.content
        having count(*) > 1
    ) as repeated
    inner join marketing.events
        on events.customer_id = repeated.customer_id
        and events.occurred_at = repeated.occurred_at
        and repeated.content = hash_record_extended(
            row(events.event_type, events.item_id, events.order_id, events.quantity, events.unit_price, events.query), 0
        )
    left join marketing.landing_files on landing_files.file_id = events.file_id
) as alike
where alike.place > 1

-- Grain: customers with a purchase hour taken off: their first and last purchases are looked up again.
update marketing.customer_totals as totals
set first_purchase_at = bounds.first_purchase_at, last_purchase_at = bounds.last_purchase_at
from (
    select corrected.customer_no, events.first_purchase_at, events.last_purchase_at
    from (
        select customer_no
        from activity_changes
        where first_purchase_at is not null and sign <> 0
        group by customer_no
        having
            min(first_purchase_at) filter (where sign = -1)
            < coalesce(min(first_purchase_at) filter (where sign = 1), 'infinity')
            or max(last_purchase_at) filter (where sign = -1)
            > coalesce(max(last_purchase_at) filter (where sign = 1), '-infinity')
    ) as corrected
    inner join marketing.feature_customers using (customer_no)
    cross join lateral (
        select min(occurred_at) as first_purchase_at, max(occurred_at) as last_purchase_at
        from marketing.counted_events
        where
            counted_events.customer_id = feature_customers.customer_id
            and event_type = 'purchase'
            and occurred_at < cast(:end_of_day as timestamptz)
    ) as events
) as bounds
where totals.customer_no = bounds.customer_no;

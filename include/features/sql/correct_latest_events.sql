-- Grain: pairs whose latest event of the days read anew was taken away: the latest is looked up again.
update marketing.interaction_totals as totals
set last_occurred_at = (
    select max(events.occurred_at)
    from marketing.counted_events as events
    where
        events.customer_id = feature_customers.customer_id
        and events.item_id = feature_items.item_id
        and events.occurred_at < cast(:end_of_day as timestamptz)
)
from pair_changes
inner join marketing.feature_customers using (customer_no)
inner join marketing.feature_items using (item_no)
where
    totals.customer_no = pair_changes.customer_no
    and totals.item_no = pair_changes.item_no
    and pair_changes.removed_at > coalesce(pair_changes.added_at, '-infinity');

-- Grain: customer × item with a change.
insert into marketing.interaction_totals as totals (
    customer_no, item_no, weight, window_decay, event_days, purchase_days, window_purchase_days, last_occurred_at
)
select
    customer_no, item_no, weight, window_decay, event_days, purchase_days, window_purchase_days,
    coalesce(added_at, '-infinity')
from pair_changes
order by customer_no, item_no
on conflict (customer_no, item_no) do update set
    weight = totals.weight + excluded.weight,
    window_decay = totals.window_decay + excluded.window_decay,
    event_days = totals.event_days + excluded.event_days,
    purchase_days = totals.purchase_days + excluded.purchase_days,
    window_purchase_days = totals.window_purchase_days + excluded.window_purchase_days,
    last_occurred_at = greatest(totals.last_occurred_at, excluded.last_occurred_at);

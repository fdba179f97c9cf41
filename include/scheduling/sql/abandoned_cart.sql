-- Grain: customer × item put into the cart in the last hours, at rest for some, not bought since and not known to be out
-- of stock.
with steps as (
    select
        customer_id,
        item_id,
        max(occurred_at) filter (where event_type = 'add_to_cart') as since,
        max(occurred_at) filter (where event_type = 'purchase') as bought_at
    from marketing.counted_events
    where
        occurred_at >= :cart_from
        and occurred_at < :end_of_day
        and event_type in ('add_to_cart', 'purchase')
        and item_id is not null
    group by customer_id, item_id
)

select
    steps.customer_id,
    steps.item_id,
    steps.since
from steps
left join marketing.item_features as f on f.business_date = :business_date and steps.item_id = f.item_id
where
    steps.since <= :cart_until
    and (steps.bought_at is null or steps.bought_at < steps.since)
    and f.in_stock is distinct from false

-- Grain: customer × category or brand, of items that have another one now than when they were counted.
with moved as (
    select
        feature_items.item_no, kinds.kind, kinds.former, kinds.present
    from marketing.feature_items
    left join marketing.items using (item_id)
    cross join lateral (
        values
        ('category', feature_items.category, left(items.category, cast(:longest_name as integer))),
        ('brand', feature_items.brand, left(items.brand, cast(:longest_name as integer)))
    ) as kinds (kind, former, present)
    where kinds.former is distinct from kinds.present
),

differences as (
    select
        totals.customer_no, moved.kind, sides.value, sides.sign * totals.window_purchase_days as days,
        sides.sign * totals.window_decay as weight
    from moved
    inner join marketing.interaction_totals as totals using (item_no)
    cross join lateral (values (moved.former, -1), (moved.present, 1)) as sides (value, sign)
    where totals.window_purchase_days <> 0 and sides.value is not null
),

touched as (
    insert into touched_customers select distinct customer_no from differences on conflict do nothing
)

insert into marketing.customer_tastes as totals (customer_no, kind, value, days, weight)
select customer_no, kind, value, sum(days), sum(weight)
from differences
group by customer_no, kind, value
on conflict (customer_no, kind, value) do update set
    days = totals.days + excluded.days, weight = totals.weight + excluded.weight;

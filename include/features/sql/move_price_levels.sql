-- Grain: customer with a change of priced purchase days, or of the place of a price among them: new sums less former
-- ones, in whole numbers. Days that come and go count at the former place, all present days by how far it moved.
with differences as (
    select
        changes.customer_no,
        cast(changes.window_purchase_days as bigint) * formers.price_permille as points,
        changes.window_purchase_days as days
    from pair_changes as changes
    inner join marketing.item_totals as items using (item_no)
    left join moved_permilles as moved using (item_no)
    cross join lateral (
        select case when moved.item_no is null then items.price_permille else moved.former end as price_permille
    ) as formers
    where formers.price_permille is not null and changes.window_purchase_days <> 0
    union all
    select
        totals.customer_no,
        cast(totals.window_purchase_days as bigint) * (coalesce(moved.present, 0) - coalesce(moved.former, 0)),
        totals.window_purchase_days
        * (cast(moved.present is not null as integer) - cast(moved.former is not null as integer))
    from moved_permilles as moved
    inner join marketing.interaction_totals as totals using (item_no)
    where totals.window_purchase_days <> 0
)

update marketing.customer_totals as totals
set price_points = totals.price_points + sums.points, priced_days = totals.priced_days + sums.days
from (
    select customer_no, sum(points) as points, sum(days) as days
    from differences
    group by customer_no
    having sum(points) <> 0 or sum(days) <> 0
) as sums
where totals.customer_no = sums.customer_no;

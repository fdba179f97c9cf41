-- Grain: customer with a change of priced purchase days, or of the place of a price among them: new sums less former
-- ones, in whole numbers.
with differences as (
    select
        changes.customer_no,
        cast(changes.window_purchase_days as bigint) * former.price_permille as points,
        changes.window_purchase_days as days
    from pair_changes as changes
    inner join former_permilles as former using (item_no)
    where former.price_permille is not null and changes.window_purchase_days <> 0
    union all
    select
        totals.customer_no,
        cast(totals.window_purchase_days as bigint) * moved.points,
        totals.window_purchase_days * moved.days
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
) as sums
where totals.customer_no = sums.customer_no;

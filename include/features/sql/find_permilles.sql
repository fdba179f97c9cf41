-- Grain: item whose place of price changed. Of every 1000 purchase days in the category, those of cheaper items by
-- median price, and half of those at its own price. Counted by purchases, the mean over all customers is the middle.
-- Items without a category are one category.
with priced as (
    select totals.item_no, totals.purchase_days, totals.median_price, feature_items.category
    from marketing.item_totals as totals
    inner join marketing.feature_items using (item_no)
    where totals.median_price is not null
),

places as (
    select
        item_no,
        cast(round(
            1000 * (
                sum(purchase_days) over (partition by category order by median_price)
                - sum(purchase_days) over (partition by category, median_price) / 2.0
            ) / sum(purchase_days) over (partition by category)
        ) as integer) as price_permille
    from priced
),

present as (
    select totals.item_no, places.price_permille
    from marketing.item_totals as totals
    left join places using (item_no)
),

moved as (
    update marketing.item_totals as totals
    set price_permille = present.price_permille
    from present
    where totals.item_no = present.item_no and totals.price_permille is distinct from present.price_permille
    returning totals.item_no, old.price_permille as former, new.price_permille as present
)

insert into moved_permilles (item_no, former, present) select item_no, former, present from moved;

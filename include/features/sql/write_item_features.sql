-- Grain: one row per item that an event before the end of the business date names.
-- All history counts: the decay, not a window, makes popularity recent. The catalogue has no past: for a date with a
-- later one beside it, its price and stock stay as they were written, and are unknown if they never were.
insert into marketing.item_features (
    business_date, item_id, category, buyers, purchase_days, popularity, median_price, last_purchase_at, list_price,
    in_stock
)
select
    cast(:business_date as date),
    feature_items.item_id,
    feature_items.category,
    totals.buyers,
    totals.purchase_days,
    cast(totals.popularity as double precision) * cast(:scale as double precision),
    totals.median_price,
    totals.last_purchase_at,
    case when newest.is_newest then items.price else former.list_price end,
    case when newest.is_newest then items.in_stock else former.in_stock end
from marketing.item_totals as totals
inner join marketing.feature_items using (item_no)
cross join (
    select not exists (
        select from marketing.item_features where business_date > cast(:business_date as date)
    ) as is_newest
) as newest
left join marketing.items using (item_id)
left join former_catalogue as former using (item_id);

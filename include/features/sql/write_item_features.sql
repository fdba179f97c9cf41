-- Grain: one row per item that an event before the end of the business date names.
-- All history counts: the decay, not a window, makes popularity recent.
insert into marketing.item_features (
    business_date, item_id, category, buyers, purchase_days, popularity, median_price, last_purchase_at
)
select
    cast(:business_date as date),
    feature_items.item_id,
    feature_items.category,
    totals.buyers,
    totals.purchase_days,
    cast(totals.popularity as double precision) * cast(:scale as double precision),
    totals.median_price,
    totals.last_purchase_at
from marketing.item_totals as totals
inner join marketing.feature_items using (item_no);

-- Grain: one row per item that an event before the end of the business date names.
-- All history counts: the decay, not a window, makes popularity recent.
with item_profiles as (
    select
        item_no,
        count(*) filter (where purchase_days > 0) as buyers,
        sum(purchase_days) as purchase_days,
        -- This sum may pass the bound to which it is exact in any order, so it names one.
        sum(purchase_decay order by customer_no) as popularity,
        max(last_purchase_at) as last_purchase_at
    from pairs
    group by item_no
),

item_prices as (
    -- Grain: item with a purchase of known price; the median over purchase lines.
    select item_no, percentile_cont(0.5) within group (order by unit_price) as median_price
    from activity
    where is_purchase and unit_price is not null and item_no is not null
    group by item_no
)

insert into marketing.item_features (
    business_date, item_id, category, buyers, purchase_days, popularity, median_price, last_purchase_at
)
select
    cast(:business_date as date),
    feature_items.item_id,
    feature_items.category,
    item_profiles.buyers,
    item_profiles.purchase_days,
    item_profiles.popularity,
    item_prices.median_price,
    item_profiles.last_purchase_at
from feature_items
inner join item_profiles using (item_no)
left join item_prices using (item_no)
order by item_no;

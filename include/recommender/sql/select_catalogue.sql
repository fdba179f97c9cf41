-- Grain: one row per item, with its decayed popularity as of lamplighter.business_date (0: never bought).
select
    items.item_id,
    items.category,
    coalesce(items.in_stock, true) as in_stock,
    coalesce(item_features.popularity, 0) as popularity
from marketing.items
left join marketing.item_features
    on items.item_id = item_features.item_id
    and item_features.business_date = (select cast(current_setting('lamplighter.business_date') as date))

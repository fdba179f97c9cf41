-- Grain: one row per item, with its decayed popularity as of lamplighter.business_date (0: never bought). Of its category
-- counts what counts of it in customers' preferred_categories.
select
    items.item_id,
    left(items.category, (select cast(current_setting('lamplighter.longest_name') as integer))) as category,
    coalesce(items.in_stock, true) as in_stock,
    coalesce(item_features.popularity, 0) as popularity
from marketing.items
left join marketing.item_features
    on items.item_id = item_features.item_id
    and item_features.business_date = (select cast(current_setting('lamplighter.business_date') as date))

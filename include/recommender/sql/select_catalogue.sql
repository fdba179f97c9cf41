-- Grain: one row per item. Of its category counts what counts of it in customers' preferred_categories.
select
    item_id,
    left(category, (select cast(current_setting('lamplighter.longest_name') as integer))) as category,
    left(brand, (select cast(current_setting('lamplighter.longest_name') as integer))) as brand,
    price,
    margin_rate,
    cast(coalesce(in_stock, true) as integer) as in_stock
from marketing.items

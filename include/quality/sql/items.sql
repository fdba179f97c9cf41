-- One row per item, with what its checks look at.
select
    items.item_id,
    items.title,
    items.category,
    items.price,
    items.margin_rate
from marketing.items

-- Grain: item that has another category or brand now.
update marketing.feature_items
set category = present.category, brand = present.brand
from (
    select
        numbered.item_no,
        left(items.category, cast(:longest_name as integer)) as category,
        left(items.brand, cast(:longest_name as integer)) as brand
    from marketing.feature_items as numbered
    left join marketing.items using (item_id)
) as present
where
    feature_items.item_no = present.item_no
    and (feature_items.category, feature_items.brand) is distinct from (present.category, present.brand);

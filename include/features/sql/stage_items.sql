-- Grain: one row per item that an event before the end of the business date names, whether or not it is in items.
with named_items as (
    select distinct item_id
    from marketing.events
    where occurred_at < cast(:end_of_day as timestamptz) and item_id is not null
)

insert into feature_items (item_no, item_id, category)
select row_number() over (order by named_items.item_id), named_items.item_id, items.category
from named_items
left join marketing.items on named_items.item_id = items.item_id;

-- Grain: one row per item that an event names. Numbers, once given, stay.
insert into marketing.feature_items (item_no, item_id, category, brand)
select
    (select coalesce(max(item_no), 0) from marketing.feature_items) + row_number() over (order by item_id collate "C"),
    named.item_id,
    left(items.category, cast(:longest_name as integer)),
    left(items.brand, cast(:longest_name as integer))
from (select distinct item_id from read_events where item_id is not null) as named
left join marketing.items using (item_id)
where not exists (select 1 from marketing.feature_items where feature_items.item_id = named.item_id);

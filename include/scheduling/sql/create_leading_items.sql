-- The items that call for the messages of one campaign, by the place of their customer.
drop table if exists pg_temp.leading_items;

create temporary table leading_items (place integer, item_id text) on commit drop

-- Purchases of an item between two prices; as the tables of include/db describe it.
create index daily_interactions_item_no_unit_price_idx on marketing.daily_interactions (item_no, unit_price)
where unit_price is not null;

-- Grain: item of the business date's former build, with what the catalogue said of it then.
insert into former_catalogue (item_id, list_price, in_stock)
select
    item_id,
    list_price,
    in_stock
from marketing.item_features
where business_date = :business_date;

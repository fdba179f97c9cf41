-- Grain: business day × item × price of a purchase line.
insert into marketing.daily_prices (business_day, item_no, unit_price, lines)
select business_day, item_no, unit_price, count(*)
from numbered_events
where type_no = :purchase_no and unit_price is not null and item_no is not null
group by business_day, item_no, unit_price;

-- Grain: business day × item × price of a purchase line.
insert into marketing.daily_prices (business_day, item_no, unit_price, lines)
select read_events.business_day, feature_items.item_no, read_events.unit_price, count(*)
from read_events
inner join marketing.feature_items using (item_id)
where read_events.event_type = 'purchase' and read_events.unit_price is not null
group by read_events.business_day, feature_items.item_no, read_events.unit_price;

-- Grain: business day × customer × item × event type. How many lines or pieces a day had does not count.
insert into marketing.daily_interactions (business_day, customer_no, item_no, type_no, last_occurred_at, unit_price)
select business_day, customer_no, item_no, type_no, max(occurred_at), min(unit_price)
from numbered_events
where item_no is not null
group by business_day, customer_no, item_no, type_no;

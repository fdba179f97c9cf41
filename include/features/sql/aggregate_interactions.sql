-- Grain: business day × customer × item × event type. How many lines or pieces a day had does not count.
insert into marketing.daily_interactions (business_day, customer_no, item_no, type_no, last_occurred_at, unit_price)
select
    read_events.business_day,
    feature_customers.customer_no,
    feature_items.item_no,
    array_position(cast(:event_types as text[]), read_events.event_type),
    max(read_events.occurred_at),
    min(read_events.unit_price) filter (where read_events.event_type = 'purchase')
from read_events
inner join marketing.feature_customers using (customer_id)
inner join marketing.feature_items using (item_id)
group by read_events.business_day, feature_customers.customer_no, feature_items.item_no, read_events.event_type;

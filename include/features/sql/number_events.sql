-- Grain: one row per event read, in numbers: each is looked up and put on the customer's clock once, for all aggregates.
insert into numbered_events (
    business_day, customer_no, item_no, type_no, local_hour, is_weekend, occurred_at, amount, unit_price
)
select
    local_events.business_day,
    local_events.customer_no,
    feature_items.item_no,
    array_position(cast(:event_types as text[]), local_events.event_type),
    date_part('hour', local_events.local_time),
    date_part('isodow', local_events.local_time) > 5,
    local_events.occurred_at,
    -- Some shops write the quantity of a return with a minus sign, some without: either way it takes money off.
    case local_events.event_type when 'purchase' then local_events.amount when 'return' then -abs(local_events.amount) end,
    case local_events.event_type when 'purchase' then local_events.unit_price end
from (
    select
        read_events.*,
        feature_customers.customer_no,
        read_events.occurred_at at time zone feature_customers.time_zone as local_time
    from read_events
    inner join marketing.feature_customers using (customer_id)
    offset 0
) as local_events
left join marketing.feature_items using (item_id);

-- Grain: business day × customer × hour of the customer's clock. An hour that lies in two of the customer's dates, which
-- a business day may hold the ends of, is of the weekend when either is.
with local_events as (
    select
        read_events.*,
        feature_customers.customer_no,
        read_events.occurred_at at time zone feature_customers.time_zone as local_time
    from read_events
    inner join marketing.feature_customers using (customer_id)
    offset 0
)

insert into marketing.daily_activity (
    business_day, customer_no, local_hour, is_weekend, first_purchase_at, last_purchase_at, amount
)
select
    business_day,
    customer_no,
    cast(date_part('hour', local_time) as smallint) as local_hour,
    bool_or(date_part('isodow', local_time) > 5),
    min(occurred_at) filter (where event_type = 'purchase'),
    max(occurred_at) filter (where event_type = 'purchase'),
    -- Some shops write the quantity of a return with a minus sign, some without: either way it takes money off.
    sum(case event_type when 'purchase' then amount when 'return' then -abs(amount) end)
from local_events
group by business_day, customer_no, cast(date_part('hour', local_time) as smallint);

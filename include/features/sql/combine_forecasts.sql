-- Grain: customer with a purchase. The models know a customer's pace and spending over all history, but people change: of
-- whoever has been a customer for as many days as the forecast looks ahead, what they did in so many is the other half of
-- what is expected, as far as they are still customers at all.
insert into outlooks (customer_no, churn_probability, expected_orders, expected_value)
select
    customer_no,
    churn_probability,
    case
        when days_since_first >= cast(:forecast_days as integer) then (orders + alive_probability * recent_orders) / 2
        else orders
    end,
    case
        when days_since_first >= cast(:forecast_days as integer) then (value + alive_probability * recent_value) / 2
        else value
    end
from (
    select
        buyers.customer_no,
        buyers.days_since_first,
        forecasts.churn_probability,
        forecasts.alive_probability,
        forecasts.expected_orders as orders,
        forecasts.expected_value
        + forecasts.expected_value_per_spent * cast(greatest(buyers.amount, 0) as double precision) as value,
        buyers.recent_orders,
        cast(greatest(buyers.recent_amount, 0) as double precision) as recent_value
    from buyers
    inner join order_forecasts as forecasts using (orders, days_since_first, recency)
) as halves;

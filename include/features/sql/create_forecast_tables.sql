-- What a forecast and the statements of its build hand each other; gone with the transaction.

-- Grain: customer with a purchase. Orders are days with a purchase, and days are business days. Recent is within as many
-- days as the forecast looks ahead, the business date included; the rest is of all history.
create temporary table buyers (
    customer_no integer not null,
    customer_id text not null,
    orders integer not null,
    days_since_first integer not null,
    recency integer not null,
    amount numeric not null,
    recent_orders integer not null,
    recent_amount numeric not null
) on commit drop;

-- Grain: history of orders that some customer has. expected_value is of a customer who spent nothing net of returns, and
-- grows with what they spent.
create temporary table order_forecasts (
    orders integer not null,
    days_since_first integer not null,
    recency integer not null,
    alive_probability double precision not null,
    churn_probability double precision not null,
    expected_orders double precision not null,
    expected_value double precision,
    expected_value_per_spent double precision
) on commit drop;

-- Grain: customer with a purchase; no row while there is no forecast.
create temporary table outlooks (
    customer_no integer not null,
    churn_probability double precision not null,
    expected_orders double precision not null,
    expected_value double precision
) on commit drop;

-- Grain: customer with a purchase.
insert into buyers (
    customer_no, customer_id, orders, days_since_first, recency, amount, recent_orders, recent_amount
)
with recent as (
    select
        customer_no,
        count(distinct business_day) filter (where first_purchase_at is not null) as orders,
        coalesce(sum(amount), 0) as amount
    from marketing.daily_activity
    where
        business_day > cast(:business_date as date) - cast(:forecast_days as integer)
        and business_day <= cast(:business_date as date)
    group by customer_no
)

select
    totals.customer_no,
    feature_customers.customer_id,
    totals.purchase_days,
    cast(:business_date as date)
    - cast(totals.first_purchase_at at time zone cast(:business_time_zone as text) as date),
    cast(:business_date as date)
    - cast(totals.last_purchase_at at time zone cast(:business_time_zone as text) as date),
    totals.amount,
    coalesce(recent.orders, 0),
    coalesce(recent.amount, 0)
from marketing.customer_totals as totals
inner join marketing.feature_customers using (customer_no)
left join recent using (customer_no)
where totals.purchase_days > 0;

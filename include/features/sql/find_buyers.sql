-- Grain: customer with a purchase.
insert into buyers (customer_no, customer_id, orders, days_since_first, recency, amount)
select
    totals.customer_no,
    feature_customers.customer_id,
    totals.purchase_days,
    cast(:business_date as date)
    - cast(totals.first_purchase_at at time zone cast(:business_time_zone as text) as date),
    cast(:business_date as date)
    - cast(totals.last_purchase_at at time zone cast(:business_time_zone as text) as date),
    totals.amount
from marketing.customer_totals as totals
inner join marketing.feature_customers using (customer_no)
where totals.purchase_days > 0;

-- Grain: one row per customer and item whose weight is above zero, as of the end of the business date.
-- Written in the order of the key, which keeps the growth of its index cheap.
insert into marketing.interactions (customer_id, item_id, business_date, weight, purchase_days, last_occurred_at)
select
    feature_customers.customer_id,
    feature_items.item_id,
    cast(:business_date as date),
    pairs.weight,
    pairs.purchase_days,
    pairs.last_occurred_at
from pairs
inner join feature_customers using (customer_no)
inner join feature_items using (item_no)
where pairs.weight > 0
order by pairs.customer_no, pairs.item_no;

-- Grain: one row per customer and item with any event of the two.
with sorted_activity as (
    -- One sort serves both groupings, and the rows leave in the order of the numbers.
    select * from activity
    where item_no is not null
    order by customer_no, item_no, type_no, business_day
),

active_days as (
    -- Grain: customer × item × event type × business day. How many lines or pieces a day had does not count.
    select
        customer_no,
        item_no,
        bool_or(is_purchase) as is_purchase,
        bool_or(is_purchase and in_window) as is_window_purchase,
        max(weight) as weight,
        max(decay) as decay,
        max(occurred_at) as last_occurred_at
    from sorted_activity
    group by customer_no, item_no, type_no, business_day
)

insert into pairs (
    customer_no, item_no, weight, purchase_decay, window_purchase_decay, last_occurred_at, last_purchase_at,
    purchase_days, window_purchase_days
)
select
    customer_no,
    item_no,
    sum(weight),
    coalesce(sum(decay) filter (where is_purchase), 0),
    coalesce(sum(decay) filter (where is_window_purchase), 0),
    max(last_occurred_at),
    max(last_occurred_at) filter (where is_purchase),
    count(*) filter (where is_purchase),
    count(*) filter (where is_window_purchase)
from active_days
group by customer_no, item_no;

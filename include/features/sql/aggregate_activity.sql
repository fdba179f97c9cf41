-- Grain: business day × customer × hour of the customer's clock. An hour that lies in two of the customer's dates, which
-- a business day may hold the ends of, is of the weekend when either is.
insert into marketing.daily_activity (
    business_day, customer_no, local_hour, is_weekend, first_purchase_at, last_purchase_at, amount
)
select
    business_day,
    customer_no,
    local_hour,
    bool_or(is_weekend),
    min(occurred_at) filter (where type_no = :purchase_no),
    max(occurred_at) filter (where type_no = :purchase_no),
    sum(amount) filter (where amount is not null)  -- most hours have none, and a sum of decimals takes room
from numbered_events
group by business_day, customer_no, local_hour;

-- One row per customer, in order.
select
    customer_id,
    segment,
    active_hours
from pg_temp.responders
order by place

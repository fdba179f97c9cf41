-- Grain: history of orders that some customer has.
select distinct orders, days_since_first, recency
from buyers
order by orders, days_since_first, recency

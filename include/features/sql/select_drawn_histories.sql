-- Grain: history of orders that some drawn customer has.
select orders, days_since_first, recency, count(*) as customers
from drawn_buyers
group by orders, days_since_first, recency
order by orders, days_since_first, recency

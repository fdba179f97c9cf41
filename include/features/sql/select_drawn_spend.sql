-- Grain: number of orders and amount spent that some drawn customer has.
select orders, amount, count(*) as customers
from drawn_buyers
where amount > 0
group by orders, amount
order by orders, amount

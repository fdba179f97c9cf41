-- Grain: customer with a purchase, of those to learn from. A customer is drawn by a hash of the id, the same every night.
create temporary table drawn_buyers on commit drop as
select orders, days_since_first, recency, amount
from buyers
where :everyone or left(md5(customer_id), 8) collate "C" < :hash_below;

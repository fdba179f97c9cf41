-- Grain: one row per customer of the shard and item, as the features of the business date have them.
select interactions.customer_id, interactions.item_id, interactions.weight, interactions.purchase_days
from marketing.interactions
inner join shard_customers using (customer_id)

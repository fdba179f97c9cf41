-- Grain: one row per customer and item, as the features of the business date have them.
select customer_id, item_id, weight, purchase_days
from marketing.interactions

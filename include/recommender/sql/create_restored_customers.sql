-- Grain: one row per customer with lists on the latest published date whom the model last published for; gone with the
-- transaction.
create temporary table restored_customers on commit drop as
select customer_id from marketing.recommendations where business_date = :latest
intersect
select customer_id from marketing.recommendations where business_date = :lists_of and model_id = :model_id

-- Grain: one row per customer of the shard; gone with the transaction.
create temporary table shard_customers on commit drop as
select customer_id from unnest(cast(:customers as text[])) as ids (customer_id)

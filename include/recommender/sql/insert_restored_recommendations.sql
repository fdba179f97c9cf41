-- Grain: date × customer × purpose × rank. None where the model's last lists are those of the latest date.
insert into marketing.recommendations (
    business_date, customer_id, purpose, rank, item_id, score, strategy, reason_item_id, model_id
)
select
    cast(:latest as date),
    lists.customer_id,
    lists.purpose,
    lists.rank,
    lists.item_id,
    lists.score,
    lists.strategy,
    lists.reason_item_id,
    lists.model_id
from marketing.recommendations as lists
inner join restored_customers using (customer_id)
where lists.business_date = :lists_of and lists.model_id = :model_id and lists.business_date < :latest
order by lists.customer_id, lists.purpose, lists.rank

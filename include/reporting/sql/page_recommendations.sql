-- One row per purpose and rank of a customer's latest published lists, with titles in place of ids where known.
select
    lists.purpose,
    lists.rank,
    lists.strategy,
    coalesce(items.title, lists.item_id) as title,
    coalesce(reasons.title, lists.reason_item_id) as reason
from marketing.recommendations as lists
left join marketing.items using (item_id)
left join marketing.items as reasons on reasons.item_id = lists.reason_item_id
where
    lists.customer_id = :customer_id
    and lists.rank <= :ranks
    and lists.business_date = (select max(business_date) from marketing.recommendations)
order by lists.purpose, lists.rank

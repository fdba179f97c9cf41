-- Grain: one row per customer of the shard and item that rests: sent after :sent_after, or listed within the first :ranks
-- of a list published after :listed_after, for the same purpose. Messages of D + 1 are planned by the night of D.
select messages.customer_id, item ->> 'item_id' as item_id
from marketing.messages
inner join shard_customers using (customer_id)
cross join lateral jsonb_array_elements(messages.content -> 'items') as item
where
    messages.business_date > :sent_after
    and messages.business_date < :business_date
    and messages.state not in ('failed', 'expired', 'cancelled')
union
select recommendations.customer_id, recommendations.item_id
from marketing.recommendations
inner join shard_customers using (customer_id)
where
    recommendations.purpose = :purpose
    and recommendations.rank <= :ranks
    and recommendations.business_date > :listed_after
    and recommendations.business_date < :business_date

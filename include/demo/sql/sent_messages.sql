-- One row per message sent on :send_date, with its items that have a price, and how many of all its items lie in a
-- favourite category of the customer as of the night that planned it.
with shown as (
    select
        message.message_id,
        item.position,
        item.content ->> 'item_id' as item_id,
        items.price,
        coalesce(items.category = any(features.preferred_categories), false) as is_favourite
    from marketing.messages as message
    cross join lateral jsonb_array_elements(message.content -> 'items') with ordinality as item (content, position)
    left join marketing.items as items on items.item_id = item.content ->> 'item_id'
    left join marketing.customer_features as features
        on features.customer_id = message.customer_id and features.business_date = message.business_date
    where message.send_date = :send_date and message.state = 'sent'
),

by_message as (
    select
        message_id,
        avg(cast(is_favourite as integer)) as fit,
        array_agg(item_id order by position) filter (where price is not null) as item_ids,
        array_agg(price order by position) filter (where price is not null) as prices
    from shown
    group by message_id
)

select
    message.message_id,
    message.campaign_id,
    message.customer_id,
    message.channel,
    message.sent_at,
    cast(coalesce(by_message.fit, 0) as double precision) as fit,
    coalesce(by_message.item_ids, '{}') as item_ids,
    coalesce(by_message.prices, '{}') as prices
from marketing.messages as message
left join by_message on by_message.message_id = message.message_id
where message.send_date = :send_date and message.state = 'sent'
order by message.message_id

-- One row per message sent in [:day_start, :day_end), with its items in their order, and its load: the messages sent to
-- the same customer before it, each counting half as much for every :half_life_days that it is older.
with today as (
    select message_id, campaign_id, customer_id, channel, sent_at, content
    from marketing.messages
    where state = 'sent' and sent_at >= :day_start and sent_at < :day_end
),

loads as (
    select
        today.message_id,
        sum(
            power(
                cast(0.5 as double precision),
                cast(extract(epoch from today.sent_at - earlier.sent_at) as double precision)
                / 86400 / cast(:half_life_days as double precision)
            ) order by earlier.sent_at, earlier.message_id
        ) as load
    from today
    inner join marketing.messages as earlier
        on
            earlier.customer_id = today.customer_id
            and earlier.state = 'sent'
            and earlier.sent_at < today.sent_at
            and earlier.sent_at >= today.sent_at - make_interval(days => cast(:fatigue_days as integer))
    group by today.message_id
)

select
    today.message_id,
    today.campaign_id,
    today.customer_id,
    today.channel,
    cast(extract(epoch from today.sent_at) as double precision) as sent_at,
    cast(coalesce(loads.load, 0) as double precision) as load,
    array(
        select entry.item ->> 'item_id'
        from jsonb_array_elements(today.content -> 'items') with ordinality as entry (item, place)
        order by entry.place
    ) as item_ids
from today
left join loads on loads.message_id = today.message_id
order by today.message_id collate "C"

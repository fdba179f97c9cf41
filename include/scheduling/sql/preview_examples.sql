-- Up to three rows per campaign: the messages expected to be worth most, middling and least. Whom they go to is left out.
with zones as materialized (
    select name from pg_timezone_names
),

ranked as (
    select
        m.campaign_id,
        m.message_id,
        m.channel,
        m.send_at at time zone coalesce(z.name, :default_zone) as at,
        m.content,
        worth.expected_value,
        d.reason,
        row_number() over by_value as place,
        count(*) over (partition by m.campaign_id) as messages
    from marketing.messages as m
    inner join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
    cross join lateral (
        select case m.channel when d.channel then d.expected_value else d.second_expected_value end as expected_value
    ) as worth
    left join marketing.customers as c using (customer_id)
    left join zones as z on c.time_zone = z.name
    where m.business_date = :business_date and d.decision = 'scheduled'
    window by_value as (
        partition by m.campaign_id order by worth.expected_value desc nulls last, m.message_id collate "C"
    )
)

select
    r.campaign_id,
    r.channel,
    r.at,
    r.expected_value,
    r.reason,
    array(
        select coalesce(i.title, listed.item ->> 'item_id')
        from jsonb_array_elements(r.content -> 'items') with ordinality as listed (item, place)
        left join marketing.items as i on i.item_id = listed.item ->> 'item_id'
        order by listed.place
    ) as items
from ranked as r
where r.place in (1, (r.messages + 1) / 2, r.messages)
order by r.campaign_id collate "C", r.place

-- One row per campaign × channel × age in days of clicked messages whose first human click is matured: its window for an
-- order lay before the end of the day. Each order is credited once, to the latest human click whose window it falls into,
-- matured or not; a purchase without an order id is an order of its own. Margin is that of the whole order, less the
-- campaign's cost of handling one.
with touches as (
    select
        s.send_no,
        s.customer_id,
        r.occurred_at,
        r.occurred_at + case s.channel
            when 'email' then make_interval(days => :email_days)
            else make_interval(hours => :push_hours)
        end as until
    from response_reactions as r
    inner join response_sends as s using (send_no)
    where r.engagement_type = 'click'
),

matured as (
    select send_no, min(occurred_at) as clicked_at
    from touches
    group by send_no
    having min(until) <= :end_of_day
),

lines as (
    select
        e.customer_id,
        coalesce(e.order_id, 'event:' || e.event_id) as order_id,
        e.occurred_at,
        coalesce(e.quantity, 1)
        * cast(coalesce(e.unit_price, i.price, 0) as double precision)
        * coalesce(i.margin_rate, :default_margin_rate) as margin
    from marketing.counted_events as e
    left join marketing.items as i on e.item_id = i.item_id
    where
        e.event_type = 'purchase'
        and e.occurred_at >= (select min(occurred_at) from touches)
        and e.occurred_at < :end_of_day
        and e.customer_id in (select customer_id from touches)
),

orders as (
    select
        customer_id,
        order_id,
        min(occurred_at) as ordered_at,
        -- Whole ten-thousandths add up to the same in any order.
        sum(cast(margin * 10000 as bigint)) / 10000 as margin
    from lines
    group by customer_id, order_id
),

credited as (
    select distinct on (o.customer_id, o.order_id) t.send_no, o.customer_id, o.order_id, o.margin
    from orders as o
    inner join touches as t
        on o.customer_id = t.customer_id and o.ordered_at >= t.occurred_at and o.ordered_at < t.until
    order by o.customer_id, o.order_id, t.occurred_at desc, t.send_no
),

earned as (
    select send_no, count(*) as orders, sum(margin) as margin
    from credited
    group by send_no
)

select
    s.campaign_id,
    s.channel,
    cast(extract(epoch from cast(:end_of_day as timestamptz) - m.clicked_at) as bigint) / 86400 as age_days,
    count(*) as clicks,
    coalesce(sum(e.orders), 0) as orders,
    coalesce(sum(e.margin - e.orders * coalesce(c.cost_per_order, 0)), 0) as margin
from matured as m
inner join response_sends as s using (send_no)
left join earned as e using (send_no)
left join marketing.campaigns as c on s.campaign_id = c.campaign_id
group by s.campaign_id, s.channel, age_days
order by s.campaign_id collate "C", s.channel, age_days

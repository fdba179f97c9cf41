-- One row per campaign × channel × arm: counts, and the sums a click rate with the customer as unit needs.
-- The channel 'all' holds every assigned customer; email and app_push those with a message planned there.
with
reactions as (
    select
        send_id,
        bool_or(engagement_type = 'open') as opened,
        bool_or(engagement_type = 'click') as clicked,
        bool_or(engagement_type = 'unsubscribe') as unsubscribed,
        bool_or(engagement_type = 'bounce') as bounced,
        bool_or(generated) as generated
    from report_engagements
    group by send_id
),
customer_sends as (
    select
        s.campaign_id, s.customer_id, coalesce(s.channel, 'all') as channel,
        count(*) as sent,
        sum(s.cost) as cost,
        count(*) filter (where r.opened) as opened,
        count(*) filter (where r.clicked) as clicked,
        count(*) filter (where r.unsubscribed) as unsubscribed,
        count(*) filter (where r.bounced) as bounced,
        coalesce(bool_or(r.generated), false) as generated
    from report_sends s
    left join reactions r on r.send_id = s.send_id
    group by grouping sets ((s.campaign_id, s.customer_id, s.channel), (s.campaign_id, s.customer_id))
),
channel_customers as (
    select campaign_id, customer_id, channel from marketing.messages where business_date <= :business_date
    union
    select campaign_id, customer_id, channel from report_sends
),
members as (
    select campaign_id, customer_id, 'all' as channel
    from report_assignments
    where campaign_id is not null
    union all
    select campaign_id, customer_id, channel
    from channel_customers
),
customer_results as (
    select
        m.channel, o.campaign_id, o.arm, o.orders, o.revenue, o.margin,
        coalesce(s.sent, 0) as sent,
        coalesce(s.opened, 0) as opened,
        coalesce(s.clicked, 0) as clicked,
        coalesce(s.unsubscribed, 0) as unsubscribed,
        coalesce(s.bounced, 0) as bounced,
        coalesce(s.cost, 0) as cost,
        o.generated or coalesce(s.generated, false) as generated
    from members m
    inner join report_outcomes o on o.campaign_id = m.campaign_id and o.customer_id = m.customer_id
    left join customer_sends s
        on s.campaign_id = m.campaign_id and s.customer_id = m.customer_id and s.channel = m.channel
)
select
    campaign_id, channel, arm,
    count(*) as assigned,
    sum(sent) as sent,
    sum(sent - bounced) as delivered,
    sum(opened) as opened,
    sum(clicked) as clicked,
    sum(unsubscribed) as unsubscribed,
    sum(bounced) as bounced,
    sum(orders) as orders,
    sum(revenue) as revenue,
    sum(margin) as margin,
    sum(cost) as cost,
    bool_or(generated) as includes_generated,
    count(*) filter (where sent > 0) as customers_sent,
    sum(clicked * clicked) as clicked_squares,
    sum(sent * sent) as sent_squares,
    sum(clicked * sent) as clicked_times_sent
from customer_results
group by campaign_id, channel, arm
order by campaign_id, channel, arm

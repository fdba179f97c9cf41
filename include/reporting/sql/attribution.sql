-- One row per campaign, and one with a null campaign for the customers in the global holdout's term: revenue of the orders whose latest human click within its channel's window was the campaign's.
-- Each order is credited once. This says who was there last, not what the campaign caused.
with
touches as (
    select
        s.send_id, s.campaign_id, s.customer_id, e.occurred_at, e.generated,
        e.occurred_at + case s.channel
            when 'email' then make_interval(days => :email_days)
            else make_interval(hours => :push_hours)
        end as until
    from report_engagements e
    inner join report_sends s on s.send_id = e.send_id
    where e.engagement_type = 'click'
),
credited as (
    select distinct on (o.customer_id, o.order_id)
        t.campaign_id, o.customer_id, o.ordered_at, o.revenue, o.generated or t.generated as generated
    from report_orders o
    inner join touches t
        on t.customer_id = o.customer_id and o.ordered_at >= t.occurred_at and o.ordered_at < t.until
    order by o.customer_id, o.order_id, t.occurred_at desc, t.send_id
)
select campaign_id, sum(revenue) as attributed_revenue, bool_or(generated) as includes_generated
from credited
group by campaign_id
union all
select null, sum(c.revenue), bool_or(c.generated)
from credited c
inner join report_assignments a
    on a.campaign_id is null and a.customer_id = c.customer_id and c.ordered_at >= a.assigned_at
having count(*) > 0

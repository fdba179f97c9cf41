-- One row per message that left the house by the end of the date, the former tool's treated sends included.
-- A control row of the former tool is an assignment, not a send. A message whose outcome is unknown left the house if
-- anything came back for it, a bounce or a machine's open included, and did so when it was claimed.
create temporary table report_sends on commit drop as
with
sends as (
    select
        m.message_id, m.campaign_id, m.customer_id, m.channel,
        coalesce(m.sent_at, m.claimed_at, m.send_at) as sent_at, m.cost
    from marketing.messages m
    where
        coalesce(m.sent_at, m.claimed_at, m.send_at) < :end_of_day
        and (
            m.state = 'sent'
            or (
                m.state = 'unknown'
                and exists (
                    select from marketing.engagements e
                    where e.message_id = m.message_id and e.occurred_at < :end_of_day
                )
            )
        )
    union all
    select
        null, h.campaign_id, h.customer_id, h.channel, h.sent_at, coalesce(h.cost, c.cost_per_message, 0)
    from marketing.message_history h
    left join marketing.campaigns c on c.campaign_id = h.campaign_id
    where h.arm = 'treated' and h.sent_at < :end_of_day
)
select
    row_number() over (order by campaign_id, customer_id, channel, sent_at, message_id) as send_id,
    sends.*
from sends;

create index on report_sends (customer_id, campaign_id);
analyze report_sends;

-- One row per engagement that counts: people's opens and clicks, and every unsubscribe and bounce.
-- An engagement that names no message belongs to its customer's latest send of the campaign before it.
create temporary table report_engagements on commit drop as
with
counted as (
    select
        engagement_id, message_id, campaign_id, customer_id, engagement_type, occurred_at,
        lower(coalesce(attributes ->> 'generated', 'false')) = 'true' as generated
    from marketing.engagements
    where
        occurred_at < :end_of_day
        and (engagement_type in ('unsubscribe', 'bounce') or (engagement_type in ('open', 'click') and not is_machine))
),
by_message as (
    select s.send_id, e.engagement_id, e.engagement_type, e.occurred_at, e.generated
    from counted e
    inner join report_sends s on s.message_id = e.message_id
),
by_campaign as (
    select distinct on (e.engagement_id)
        s.send_id, e.engagement_id, e.engagement_type, e.occurred_at, e.generated
    from counted e
    inner join report_sends s
        on s.campaign_id = e.campaign_id and s.customer_id = e.customer_id and s.sent_at <= e.occurred_at
    where e.message_id is null
    order by e.engagement_id, s.sent_at desc, s.send_id
)
select * from by_message
union all
select * from by_campaign;

analyze report_engagements;

-- One row per matured send of a customer, the former tool's included: when it went, whether it was clicked, and which
-- decision planned it, if it is the first message of that decision: a second one's channel was none to choose, so it
-- is a send that is known of, and none that is valued. A send is matured when its 24 hours for a click lie before the
-- end of the day; a click belongs to the latest send that it can answer. Days are numbers, 0 being the first day that
-- is looked back on; hours and weekends are those of the customer's own clock, as planned, or as delivered where that
-- was a later hour (is_late). Customers lie in :buckets buckets by a hash of their id.
create temporary table valued_sends on commit drop as
with zones as materialized (
    select name from pg_timezone_names
),

sends as (
    select message_id, campaign_id, customer_id, channel, business_date, send_at, sent_at
    from marketing.messages
    where
        state = 'sent'
        and sent_at >= :first_instant
        and sent_at < cast(:end_of_day as timestamptz) - interval '24 hours'
    union all
    select null, campaign_id, customer_id, channel, null, sent_at, sent_at
    from marketing.message_history
    where
        arm = 'treated'
        and sent_at >= :first_instant
        and sent_at < cast(:end_of_day as timestamptz) - interval '24 hours'
),

human_clicks as (
    select
        engagement_id, message_id, campaign_id, customer_id, occurred_at,
        lower(coalesce(attributes ->> 'generated', 'false')) = 'true' as generated
    from marketing.engagements
    where
        engagement_type = 'click' and not is_machine and occurred_at >= :first_instant and occurred_at < :end_of_day
),

answers as (
    select k.engagement_id, k.occurred_at, k.generated, s.campaign_id, s.customer_id, s.channel, s.sent_at
    from human_clicks as k
    inner join sends as s on k.message_id = s.message_id
    where k.occurred_at >= s.sent_at and k.occurred_at < s.sent_at + interval '24 hours'
    union all
    select k.engagement_id, k.occurred_at, k.generated, s.campaign_id, s.customer_id, s.channel, s.sent_at
    from human_clicks as k
    inner join sends as s on k.campaign_id = s.campaign_id and k.customer_id = s.customer_id
    where
        k.message_id is null
        and k.occurred_at >= s.sent_at
        and k.occurred_at < s.sent_at + interval '24 hours'
),

latest_answers as (
    select distinct on (engagement_id)
        campaign_id, customer_id, channel, sent_at, occurred_at, generated
    from answers
    order by engagement_id, sent_at desc, channel
),

clicked as (
    select campaign_id, customer_id, channel, sent_at, min(occurred_at) as clicked_at, bool_or(generated) as generated
    from latest_answers
    group by campaign_id, customer_id, channel, sent_at
),

placed as (
    select
        s.customer_id,
        s.channel,
        s.campaign_id,
        s.business_date,
        s.sent_at,
        k.clicked_at,
        coalesce(k.generated, false) as generated,
        s.sent_at >= s.send_at + interval '1 hour' as is_late,
        case when s.sent_at >= s.send_at + interval '1 hour' then s.sent_at else s.send_at end
        at time zone coalesce(z.name, :default_zone) as local_time,
        cast(('x' || substr(md5(s.customer_id), 1, 8))::bit(32)::bigint % :buckets as integer) as bucket
    from sends as s
    left join marketing.customers as c using (customer_id)
    left join zones as z on z.name = c.time_zone
    left join clicked as k using (campaign_id, customer_id, channel, sent_at)
)

select
    p.bucket,
    p.customer_id,
    p.channel,
    p.campaign_id,
    p.business_date,
    d.policy_version,
    d.policy,
    p.is_late,
    p.business_date - cast(:first_day as date) as decided,
    cast(p.sent_at at time zone :business_zone as date) - cast(:first_day as date) as sent,
    cast(p.clicked_at at time zone :business_zone as date) - cast(:first_day as date) as clicked,
    p.generated,
    cast(extract(hour from p.local_time) as integer) as hour,
    cast(extract(isodow from p.local_time) > 5 as integer) as day_type
from placed as p
left join marketing.message_decisions as d
    on
        d.business_date = p.business_date
        and d.campaign_id = p.campaign_id
        and d.customer_id = p.customer_id
        and d.channel = p.channel
        and d.decision = 'scheduled'

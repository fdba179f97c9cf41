-- One row per decision about one customer, latest first (of :business_date alone, unless null): why, what became of
-- its message, how people and machines reacted, and which other campaigns of the same night won or lost against it; and
-- after it one more of its second message, if it has one. Times are on the customer's own clock.
with zones as materialized (
    select name from pg_timezone_names
),

decided as (
    select
        d.*,
        coalesce(c.name, d.campaign_id) as campaign,
        coalesce(z.name, :default_zone) as zone
    from marketing.message_decisions as d
    left join marketing.campaigns as c using (campaign_id)
    left join marketing.customers as who using (customer_id)
    left join zones as z on z.name = who.time_zone
    where
        d.customer_id = :customer_id
        and (cast(:business_date as date) is null or d.business_date = :business_date)
    order by d.business_date desc, campaign, d.campaign_id
    limit :decisions
)

select
    d.business_date,
    d.campaign_id,
    d.campaign,
    d.arm,
    d.decision,
    d.reason,
    told.is_second,
    told.channel,
    told.send_at at time zone d.zone as send_at_local,
    told.propensity,
    told.policy,
    told.explored,
    told.expected_value,
    m.state,
    m.error,
    m.sent_at at time zone d.zone as sent_at_local,
    a.answered_by,
    -- As answers are settled.
    a.status = 'approved' and a.answered_at >= told.send_at + interval '1 hour' as approved_late,
    since.delivered_at at time zone d.zone as delivered_at,
    since.opened_at at time zone d.zone as opened_at,
    since.clicked_at at time zone d.zone as clicked_at,
    since.unsubscribed_at at time zone d.zone as unsubscribed_at,
    since.bounced_at at time zone d.zone as bounced_at,
    since.complained_at at time zone d.zone as complained_at,
    coalesce(since.machines, 0) as machines,
    rivals.chosen,
    rivals.left_out
from decided as d
cross join lateral (
    select false as is_second, d.channel, d.send_at, d.propensity, d.policy, d.explored, d.expected_value
    union all
    select
        true, d.second_channel, d.second_send_at, d.second_propensity, null, d.second_explored, d.second_expected_value
    where d.second_channel is not null
) as told
left join marketing.messages as m
    on
        m.customer_id = d.customer_id
        and m.campaign_id = d.campaign_id
        and m.business_date = d.business_date
        and m.channel = told.channel
left join marketing.campaign_approvals as a
    on a.business_date = d.business_date and a.campaign_id = d.campaign_id and a.is_current
left join lateral (
    select
        min(e.occurred_at) filter (where e.engagement_type = 'delivered') as delivered_at,
        min(e.occurred_at) filter (where e.engagement_type = 'open' and not e.is_machine) as opened_at,
        min(e.occurred_at) filter (where e.engagement_type = 'click' and not e.is_machine) as clicked_at,
        min(e.occurred_at) filter (where e.engagement_type = 'unsubscribe') as unsubscribed_at,
        min(e.occurred_at) filter (where e.engagement_type = 'bounce') as bounced_at,
        min(e.occurred_at) filter (where e.engagement_type = 'complaint') as complained_at,
        count(*) filter (where e.is_machine) as machines
    from marketing.engagements as e
    where e.message_id = m.message_id
) as since on true
left join lateral (
    select
        array_agg(rival.name order by rival.name) filter (where r.decision = 'scheduled') as chosen,
        array_agg(rival.name order by rival.name)
            filter (where r.decision in ('capped', 'no_capacity', 'over_budget')) as left_out
    from marketing.message_decisions as r
    left join marketing.campaigns as c on r.campaign_id = c.campaign_id
    cross join lateral (select coalesce(c.name, r.campaign_id) as name) as rival
    where r.customer_id = d.customer_id and r.business_date = d.business_date and r.campaign_id <> d.campaign_id
) as rivals on true
order by d.business_date desc, d.campaign, d.campaign_id, told.is_second

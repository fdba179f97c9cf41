-- One row per message that an answer of its campaign decides on: awaiting approval and approved, it is planned; not
-- approved and not taken up by delivery yet, it is cancelled, and its decision says why. A message approved when its hour was over still goes, but not at the hour that was drawn, so
-- no probability is known of it any more.
with answered as materialized (
    select
        m.message_id,
        m.business_date,
        m.campaign_id,
        m.customer_id,
        a.status = 'approved' as is_approved,
        a.answered_at >= m.send_at + interval '1 hour' as is_late,
        case a.status
            when 'refused' then 'Refused: a person did not approve the campaign''s messages of this night.'
            when 'timed_out' then 'Not approved in time: nobody answered for the campaign''s messages of this night.'
        end as refusal
    from marketing.messages as m
    inner join marketing.campaign_approvals as a using (business_date, campaign_id)
    where
        m.business_date = :business_date
        and a.is_current
        and (
            (a.status = 'approved' and m.state = 'awaiting_approval')
            or (a.status in ('refused', 'timed_out') and m.state in ('awaiting_approval', 'planned'))
        )
    for update of m
),

explained as (
    update marketing.message_decisions as d
    set
        decision = case when answered.is_approved then d.decision else 'not_approved' end,
        reason = coalesce(answered.refusal, d.reason || ' Approved when this hour was over.'),
        propensity = null,
        explored = null,
        policy = null
    from answered
    where
        d.business_date = answered.business_date
        and d.campaign_id = answered.campaign_id
        and d.customer_id = answered.customer_id
        and (answered.is_late or not answered.is_approved)
)

update marketing.messages as m
set
    state = case when answered.is_approved then 'planned' else 'cancelled' end,
    error = answered.refusal
from answered
where m.message_id = answered.message_id
returning m.state

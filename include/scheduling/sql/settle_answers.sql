-- One row: messages that an answer of their campaign decides on, and decisions that become not_approved. Awaiting
-- approval and approved, a message is planned; not approved and not taken up by delivery yet, it is cancelled, and its
-- decision says why; but one whose other message is out of the answer's reach stays as it was. A message approved when
-- its hour was over still goes, but not at the hour that was drawn, so no probability is known of it any more.
with answered as materialized (
    select
        m.message_id,
        m.business_date,
        m.campaign_id,
        m.customer_id,
        m.channel,
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

unsettled as (
    select
        business_date,
        campaign_id,
        customer_id,
        count(*) as messages,
        array_agg(channel) as channels,
        string_agg(channel, ' and ' order by channel) as named,
        min(refusal) as refusal
    from answered
    where is_late or not is_approved
    group by business_date, campaign_id, customer_id
),

explained as (
    update marketing.message_decisions as d
    set
        decision = case when u.refusal is null or u.messages < told.messages then d.decision else 'not_approved' end,
        reason = case
            when u.refusal is not null and u.messages < told.messages
                then d.reason || ' Not sent by ' || u.named || '. ' || u.refusal
            when u.refusal is not null then u.refusal
            when told.messages = 1 then d.reason || ' Approved when this hour was over.'
            else d.reason || ' Approved when the hour of ' || u.named || ' was over.'
        end,
        propensity = case when d.channel <> all(u.channels) then d.propensity end,
        explored = case when d.channel <> all(u.channels) then d.explored end,
        policy = case when d.channel <> all(u.channels) then d.policy end,
        second_propensity = case when d.second_channel <> all(u.channels) then d.second_propensity end,
        second_explored = case when d.second_channel <> all(u.channels) then d.second_explored end
    from unsettled as u
    inner join marketing.message_decisions as before using (business_date, campaign_id, customer_id)
    cross join lateral (select 1 + cast(before.second_channel is not null as integer) as messages) as told
    where
        d.business_date = u.business_date
        and d.campaign_id = u.campaign_id
        and d.customer_id = u.customer_id
    returning d.decision
),

settled as (
    update marketing.messages as m
    set
        state = case when answered.is_approved then 'planned' else 'cancelled' end,
        error = answered.refusal
    from answered
    where m.message_id = answered.message_id
    returning m.state
)

select
    (select count(*) from settled where state = 'planned') as released,
    (select count(*) from settled where state = 'cancelled') as cancelled,
    (select count(*) from explained where decision = 'not_approved') as not_approved

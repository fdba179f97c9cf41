-- One row per message sent since :since and before the end of the day, the former tool's treated ones included, with how
-- many messages its customer was sent in the seven days before, over all channels; one of the same instant is not before.
create temporary table response_sends on commit drop as
with sends as (
    select message_id, campaign_id, customer_id, channel, sent_at
    from marketing.messages
    where
        state = 'sent'
        and sent_at >= cast(:since as timestamptz) - interval '7 days'
        and sent_at < :end_of_day
        and channel = any(:channels)
    union all
    select null, campaign_id, customer_id, channel, sent_at
    from marketing.message_history
    where
        arm = 'treated'
        and sent_at >= cast(:since as timestamptz) - interval '7 days'
        and sent_at < :end_of_day
        and channel = any(:channels)
),

counted as (
    select
        sends.*,
        count(*) over (
            partition by customer_id
            order by sent_at
            -- Two messages exactly seven days apart are not in the same seven days, as in the caps.
            range between interval '7 days' - interval '1 microsecond' preceding and current row exclude group
        ) as recent
    from sends
)

select
    row_number() over (order by sent_at, customer_id, campaign_id, channel, message_id) as send_no,
    message_id,
    campaign_id,
    customer_id,
    channel,
    sent_at,
    cast(least(recent, :most_recent) as integer) as recent
from counted
where sent_at >= :since;

create index on response_sends (message_id);
create index on response_sends (customer_id, campaign_id);
analyze response_sends;

-- One row per human click, unsubscribe and complaint that answers a send: the message it names, or, where it names none,
-- its customer's latest send of the campaign before it. A consent taken back is an unsubscribe too, of the latest send on
-- its channel, unless the customer told of it by an engagement as well, :reaction_days before or after.
create temporary table response_reactions on commit drop as
with told as (
    select engagement_id, message_id, campaign_id, customer_id, engagement_type, occurred_at
    from marketing.engagements
    where
        occurred_at >= :since
        and occurred_at < :end_of_day
        and (engagement_type in ('unsubscribe', 'complaint') or (engagement_type = 'click' and not is_machine))
),

by_message as (
    select s.send_no, t.engagement_type, t.occurred_at
    from told as t
    inner join response_sends as s on t.message_id = s.message_id
    where t.occurred_at >= s.sent_at
),

by_campaign as (
    select distinct on (t.engagement_id) s.send_no, t.engagement_type, t.occurred_at
    from told as t
    inner join response_sends as s on t.campaign_id = s.campaign_id and t.customer_id = s.customer_id
    where t.message_id is null and t.occurred_at >= s.sent_at
    order by t.engagement_id, s.sent_at desc, s.send_no
),

by_engagement as (
    select * from by_message
    union all
    select * from by_campaign
),

withdrawals as (
    select c.customer_id, c.channel, c.occurred_at
    from marketing.consents as c
    left join lateral (
        select e.granted
        from marketing.consents as e
        where e.customer_id = c.customer_id and e.channel = c.channel and e.occurred_at < c.occurred_at
        order by e.occurred_at desc
        limit 1
    ) as earlier on true
    where
        c.occurred_at >= :since
        and c.occurred_at < :end_of_day
        and not c.granted
        -- A refusal told once more takes nothing back.
        and earlier.granted is distinct from false
),

by_consent as (
    select latest.send_no, 'unsubscribe' as engagement_type, w.occurred_at
    from withdrawals as w
    cross join lateral (
        select s.send_no
        from response_sends as s
        where s.customer_id = w.customer_id and s.channel = w.channel and s.sent_at <= w.occurred_at
        order by s.sent_at desc, s.send_no
        limit 1
    ) as latest
    where
        not exists (
            select from by_engagement as r
            inner join response_sends as s using (send_no)
            where
                s.customer_id = w.customer_id
                and s.channel = w.channel
                and r.engagement_type = 'unsubscribe'
                and r.occurred_at >= w.occurred_at - make_interval(days => :reaction_days)
                and r.occurred_at < w.occurred_at + make_interval(days => :reaction_days)
        )
)

select * from by_engagement
union all
select * from by_consent;

create index on response_reactions (send_no);
analyze response_reactions;

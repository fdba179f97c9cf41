-- One row per open or click whose mark changes: a machine's if its user agent is a known machine's (:agents, LIKE
-- patterns), if it came within :prompt_seconds of the sending or the delivery, or if it is one of :burst_links different
-- links of a message followed within :burst_seconds.
with delivered as (
    select message_id, min(occurred_at) as delivered_at
    from marketing.engagements
    where engagement_type = 'delivered' and message_id is not null and occurred_at < :as_of
    group by message_id
),

clicks as (
    select engagement_id, message_id, occurred_at, url
    from marketing.engagements
    where engagement_type = 'click' and message_id is not null and occurred_at < :as_of
),

bursts as (
    select opening.message_id, opening.occurred_at as began_at
    from clicks as opening
    inner join clicks as other
        on
            other.message_id = opening.message_id
            and other.occurred_at >= opening.occurred_at
            and other.occurred_at <= opening.occurred_at + make_interval(secs => :burst_seconds)
    group by opening.engagement_id, opening.message_id, opening.occurred_at
    having count(distinct other.url) >= :burst_links
),

judged as (
    select
        engagement.engagement_id,
        coalesce(lower(btrim(engagement.user_agent)) like any(:agents), false)
        or coalesce(
            engagement.occurred_at
            <= greatest(message.sent_at, delivered.delivered_at) + make_interval(secs => :prompt_seconds),
            false
        )
        or exists (
            select
            from bursts
            where
                engagement.engagement_type = 'click'
                and bursts.message_id = engagement.message_id
                and engagement.occurred_at >= bursts.began_at
                and engagement.occurred_at <= bursts.began_at + make_interval(secs => :burst_seconds)
        ) as is_machine
    from marketing.engagements as engagement
    left join marketing.messages as message on message.message_id = engagement.message_id
    left join delivered on delivered.message_id = engagement.message_id
    where engagement.engagement_type in ('open', 'click') and engagement.occurred_at < :as_of
)

update marketing.engagements as engagement
set is_machine = judged.is_machine
from judged
where engagement.engagement_id = judged.engagement_id and engagement.is_machine <> judged.is_machine
returning engagement.is_machine

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
    select
        engagement_id,
        message_id,
        occurred_at,
        array_agg(url) over (
            partition by message_id
            order by occurred_at
            range between current row and make_interval(secs => :burst_seconds) following
        ) as next_links
    from marketing.engagements
    where engagement_type = 'click' and message_id is not null and occurred_at < :as_of
),

burst_starts as (
    select
        engagement_id,
        message_id,
        occurred_at,
        case
            when
                cardinality(next_links) >= :burst_links
                and (select count(distinct link) from unnest(next_links) as link) >= :burst_links
                then occurred_at
        end as began_at
    from clicks
),

bursts as (
    select
        engagement_id,
        coalesce(
            max(began_at) over (partition by message_id order by occurred_at)
            >= occurred_at - make_interval(secs => :burst_seconds),
            false
        ) as in_burst
    from burst_starts
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
        or coalesce(bursts.in_burst, false) as is_machine
    from marketing.engagements as engagement
    left join marketing.messages as message on message.message_id = engagement.message_id
    left join delivered on delivered.message_id = engagement.message_id
    left join bursts on bursts.engagement_id = engagement.engagement_id
    where engagement.engagement_type in ('open', 'click') and engagement.occurred_at < :as_of
)

update marketing.engagements as engagement
set is_machine = judged.is_machine
from judged
where engagement.engagement_id = judged.engagement_id and engagement.is_machine <> judged.is_machine
returning engagement.is_machine

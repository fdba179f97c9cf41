-- One row per address × channel newly suppressed, or suppressed from an earlier instant than known so far. An unsubscribe
-- or complaint counts at once, a hard bounce too, soft bounces after :soft_bounces messages in a row with no sign of
-- delivery between. A bounce speaks of an address: the one its message went to. An unsubscribe or complaint speaks of a
-- person: it closes the message's address and the one the customer has now, and every channel if it names no known message.
-- What an operator released (suppressions.released_at) stays released until a later ground.
with reactions as (
    select
        engagement.engagement_id,
        engagement.message_id,
        engagement.engagement_type,
        engagement.occurred_at,
        coalesce(engagement.attributes ->> 'bounce_type', 'hard') = 'soft' as is_soft,
        coalesce(message.customer_id, engagement.customer_id) as customer_id,
        coalesce(message.channel, former.channel) as channel,
        coalesce(engagement.address_hash, message.address_hash) as address_hash
    from marketing.engagements as engagement
    left join marketing.messages as message on message.message_id = engagement.message_id
    left join lateral (
        select history.channel
        from marketing.message_history as history
        where
            message.message_id is null
            and history.campaign_id = engagement.campaign_id
            and history.customer_id = engagement.customer_id
            and history.arm = 'treated'
            and history.sent_at <= engagement.occurred_at
        order by history.sent_at desc, history.channel
        limit 1
    ) as former on true
    where
        engagement.engagement_type in ('unsubscribe', 'complaint', 'bounce')
        and engagement.occurred_at < :as_of
),

bounces as (
    -- Nobody recorded where the former tool wrote to: its bounce is of the address the customer has when it is first read.
    select
        reaction.engagement_id,
        reaction.message_id,
        reaction.occurred_at,
        reaction.is_soft,
        reaction.customer_id,
        reaction.channel,
        coalesce(reaction.address_hash, reached.address_hash) as address_hash
    from reactions as reaction
    left join marketing.addresses as reached
        on reached.customer_id = reaction.customer_id and reached.channel = reaction.channel
    where
        reaction.engagement_type = 'bounce'
        and reaction.channel is not null
        and coalesce(reaction.address_hash, reached.address_hash) is not null
),

read_bounces as (
    -- By the next run the customer may have another address.
    update marketing.engagements as engagement
    set address_hash = bounces.address_hash
    from bounces
    where engagement.engagement_id = bounces.engagement_id and engagement.address_hash is null
),

soft_bounces as (
    select customer_id, address_hash, channel, min(occurred_at) as occurred_at
    from bounces
    where is_soft
    group by customer_id, address_hash, channel, coalesce(message_id, engagement_id)
),

ends_of_a_row as (
    select message.address_hash, message.channel, engagement.occurred_at
    from marketing.messages as message
    inner join marketing.engagements as engagement on engagement.message_id = message.message_id
    where
        message.customer_id in (select customer_id from soft_bounces)
        and engagement.engagement_type in ('delivered', 'open', 'click')
        and engagement.occurred_at < :as_of
    union all
    select address_hash, channel, released_at
    from marketing.suppressions
    where released_at is not null
),

in_a_row as (
    select
        address_hash,
        channel,
        occurred_at,
        is_bounce,
        -- Bounces between the same two ends share this number.
        count(*) filter (where not is_bounce) over (
            partition by address_hash, channel order by occurred_at, is_bounce
            rows between unbounded preceding and current row
        ) as streak
    from (
        select address_hash, channel, occurred_at, true as is_bounce
        from soft_bounces
        union all
        select address_hash, channel, occurred_at, false as is_bounce
        from ends_of_a_row
    ) as signs
),

counted as (
    select
        address_hash,
        channel,
        occurred_at,
        row_number() over (partition by address_hash, channel, streak order by occurred_at) as bounces
    from in_a_row
    where is_bounce
),

requests as (
    select engagement_id, channel, address_hash, engagement_type as reason, occurred_at as since
    from reactions
    where engagement_type in ('unsubscribe', 'complaint') and address_hash is not null
    union
    select
        reaction.engagement_id, reached.channel, reached.address_hash, reaction.engagement_type, reaction.occurred_at
    from reactions as reaction
    inner join marketing.addresses as reached
        on
            reached.customer_id = reaction.customer_id
            and reached.channel = coalesce(reaction.channel, reached.channel)
    where reaction.engagement_type in ('unsubscribe', 'complaint')
),

answered_requests as (
    -- One of the person's addresses released is the person's request answered, whatever address comes next.
    select
        request.*,
        max(known.released_at) over (partition by request.engagement_id, request.channel) as released_at
    from requests as request
    left join marketing.suppressions as known
        on known.address_hash = request.address_hash and known.channel = request.channel
),

grounds as (
    select address_hash, channel, reason, since
    from answered_requests
    where released_at is null or since > released_at
    union all
    select address_hash, channel, 'hard_bounce' as reason, occurred_at as since
    from bounces
    where not is_soft
    union all
    select address_hash, channel, 'soft_bounces' as reason, occurred_at as since
    from counted
    where bounces = :soft_bounces
),

earliest as (
    select distinct on (ground.address_hash, ground.channel)
        ground.address_hash, ground.channel, ground.reason, ground.since
    from grounds as ground
    left join marketing.suppressions as known
        on known.address_hash = ground.address_hash and known.channel = ground.channel
    where known.released_at is null or ground.since > known.released_at
    order by ground.address_hash, ground.channel, ground.since, ground.reason
)

insert into marketing.suppressions as known (address_hash, channel, reason, since)
select address_hash, channel, reason, since
from earliest
on conflict (address_hash, channel) do update
set reason = excluded.reason, since = excluded.since
where excluded.since < known.since or known.since <= known.released_at
returning reason

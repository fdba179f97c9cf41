-- One row per address × channel newly suppressed, or suppressed from an earlier instant than known so far. An unsubscribe
-- or complaint counts at once, a hard bounce too, soft bounces after :soft_bounces messages in a row with no sign of
-- delivery between. An unsubscribe or complaint that names no known message closes every channel of the customer.
with reactions as (
    select
        engagement.engagement_id,
        engagement.message_id,
        engagement.engagement_type,
        engagement.occurred_at,
        coalesce(engagement.attributes ->> 'bounce_type', 'hard') = 'soft' as is_soft,
        coalesce(message.customer_id, engagement.customer_id) as customer_id,
        coalesce(message.channel, former.channel) as channel
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

soft_bounces as (
    select customer_id, channel, min(occurred_at) as occurred_at
    from reactions
    where engagement_type = 'bounce' and is_soft and channel is not null
    group by customer_id, channel, coalesce(message_id, engagement_id)
),

signs_of_delivery as (
    select message.customer_id, message.channel, engagement.occurred_at
    from marketing.messages as message
    inner join marketing.engagements as engagement on engagement.message_id = message.message_id
    where
        message.customer_id in (select customer_id from soft_bounces)
        and engagement.engagement_type in ('delivered', 'open', 'click')
        and engagement.occurred_at < :as_of
),

in_a_row as (
    select
        customer_id,
        channel,
        occurred_at,
        is_bounce,
        -- Bounces between the same two signs of delivery share this number.
        count(*) filter (where not is_bounce) over (
            partition by customer_id, channel order by occurred_at, is_bounce
            rows between unbounded preceding and current row
        ) as streak
    from (
        select customer_id, channel, occurred_at, true as is_bounce
        from soft_bounces
        union all
        select customer_id, channel, occurred_at, false as is_bounce
        from signs_of_delivery
    ) as signs
),

counted as (
    select
        customer_id,
        channel,
        occurred_at,
        row_number() over (partition by customer_id, channel, streak order by occurred_at) as bounces
    from in_a_row
    where is_bounce
),

grounds as (
    select customer_id, channel, engagement_type as reason, occurred_at as since
    from reactions
    where engagement_type in ('unsubscribe', 'complaint')
    union all
    select customer_id, channel, 'hard_bounce' as reason, occurred_at as since
    from reactions
    where engagement_type = 'bounce' and not is_soft and channel is not null
    union all
    select customer_id, channel, 'soft_bounces' as reason, occurred_at as since
    from counted
    where bounces = :soft_bounces
),

addresses as (
    select customer_id, 'email' as channel, lower(btrim(email)) as address
    from marketing.customers
    union all
    select customer_id, 'app_push' as channel, push_token as address
    from marketing.customers
),

earliest as (
    select distinct on (address_hash, channel)
        encode(sha256(convert_to(addresses.address, 'UTF8')), 'hex') as address_hash,
        addresses.channel,
        grounds.reason,
        grounds.since
    from grounds
    inner join addresses
        on
            addresses.customer_id = grounds.customer_id
            and addresses.channel = coalesce(grounds.channel, addresses.channel)
    where addresses.address <> ''
    order by address_hash, channel, grounds.since, grounds.reason
)

insert into marketing.suppressions as known (address_hash, channel, reason, since)
select address_hash, channel, reason, since
from earliest
on conflict (address_hash, channel) do update
set reason = excluded.reason, since = excluded.since
where excluded.since < known.since
returning reason

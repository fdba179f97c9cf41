-- One row per message due at :as_of and taken by this worker: 'sending', or 'cancelled' when its recipient has since
-- unsubscribed, been suppressed or lost the address. Rows another worker is claiming are passed over, not waited for.
with due as materialized (
    select message_id, customer_id, channel
    from marketing.messages
    where
        state = 'planned'
        and send_at <= :as_of
        and not_after > :as_of
        and channel = any(:channels)
        and message_id <> all(:postponed)
    order by send_at, message_id collate "C"
    limit :batch_size
    for update skip locked
),

addressed as (
    select
        due.message_id,
        due.customer_id,
        due.channel,
        case due.channel
            when 'email' then nullif(btrim(customer.email), '')
            when 'app_push' then nullif(customer.push_token, '')
        end as address
    from due
    left join marketing.customers as customer on customer.customer_id = due.customer_id
),

hashed as (
    select
        addressed.*,
        encode(
            sha256(convert_to(case channel when 'email' then lower(address) else address end, 'UTF8')), 'hex'
        ) as address_hash
    from addressed
),

checked as (
    select
        hashed.message_id,
        hashed.address,
        hashed.address_hash,
        case
            when hashed.address is null then 'no address on file for this channel'
            when suppression.address_hash is not null then 'address suppressed: ' || suppression.reason
            when consent.granted is null then 'no consent on record for this channel'
            when not consent.granted then 'consent for this channel was withdrawn'
        end as refusal
    from hashed
    left join lateral (
        select latest.granted
        from marketing.consents as latest
        where
            latest.customer_id = hashed.customer_id
            and latest.channel = hashed.channel
            and latest.occurred_at <= :as_of
        order by latest.occurred_at desc
        limit 1
    ) as consent on true
    left join marketing.suppressions as suppression
        on
            suppression.address_hash = hashed.address_hash
            and suppression.channel = hashed.channel
            and suppression.since <= :as_of
)

update marketing.messages as message
set
    state = case when checked.refusal is null then 'sending' else 'cancelled' end,
    error = checked.refusal,
    claimed_by = :worker,
    claimed_at = :as_of,
    attempts = message.attempts + case when checked.refusal is null then 1 else 0 end
from checked
where message.message_id = checked.message_id
returning
    message.message_id,
    message.campaign_id,
    message.customer_id,
    message.channel,
    message.business_date,
    message.send_at,
    message.state,
    message.attempts,
    message.content,
    checked.address,
    checked.address_hash

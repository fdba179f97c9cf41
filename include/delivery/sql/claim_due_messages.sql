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
        reached.address,
        reached.address_hash
    from due
    left join marketing.addresses as reached
        on reached.customer_id = due.customer_id and reached.channel = due.channel
),

checked as (
    select
        addressed.message_id,
        addressed.address,
        addressed.address_hash,
        case
            when addressed.address is null then 'no address on file for this channel'
            when suppression.address_hash is not null then 'address suppressed: ' || suppression.reason
            when consent.granted is null then 'no consent on record for this channel'
            when not consent.granted then 'consent for this channel was withdrawn'
        end as refusal
    from addressed
    left join lateral (
        select latest.granted
        from marketing.consents as latest
        where
            latest.customer_id = addressed.customer_id
            and latest.channel = addressed.channel
            and latest.occurred_at <= :as_of
        order by latest.occurred_at desc
        limit 1
    ) as consent on true
    left join marketing.suppressions as suppression
        on
            suppression.address_hash = addressed.address_hash
            and suppression.channel = addressed.channel
            and suppression.since <= :as_of
            and (suppression.released_at is null or suppression.since > suppression.released_at)
)

update marketing.messages as message
set
    state = case when checked.refusal is null then 'sending' else 'cancelled' end,
    error = checked.refusal,
    claimed_by = :worker,
    claimed_at = :as_of,
    address_hash = case when checked.refusal is null then checked.address_hash end,
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
    message.not_after,
    message.state,
    message.attempts,
    message.content,
    checked.address,
    checked.address_hash

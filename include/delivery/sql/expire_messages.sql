-- One row per message, planned or awaiting approval, whose last permitted instant has passed at :as_of; it is never sent
-- late.
with late as materialized (
    select
        message_id,
        case state when 'planned' then 'not delivered' else 'not approved' end as what
    from marketing.messages
    where state in ('planned', 'awaiting_approval') and not_after <= :as_of
    for update skip locked
)
update marketing.messages as message
set
    state = 'expired',
    error = late.what || ' before its last permitted instant' || coalesce('; ' || message.error, '')
from late
where message.message_id = late.message_id

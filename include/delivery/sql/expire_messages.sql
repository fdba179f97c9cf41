-- One row per planned message whose last permitted instant has passed at :as_of; it is never sent late.
with late as materialized (
    select message_id
    from marketing.messages
    where state = 'planned' and not_after <= :as_of
    for update skip locked
)
update marketing.messages as message
set state = 'expired', error = 'not delivered before its last permitted instant' || coalesce('; ' || message.error, '')
from late
where message.message_id = late.message_id

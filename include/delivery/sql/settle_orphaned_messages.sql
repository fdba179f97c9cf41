-- One row per message a dead worker (:workers) left in 'sending'. A worker sends its claims in this very order and records
-- each outcome before it begins the next, so only its first can have reached the network: that one is unknown, the
-- others were never begun and go back to the plan, with the attempt they did not make taken off again.
with held as (
    select
        message_id,
        row_number() over (partition by claimed_by order by send_at, message_id collate "C") as place
    from marketing.messages
    where state = 'sending' and claimed_by = any(:workers)
)
update marketing.messages as message
set
    state = case when held.place = 1 then 'unknown' else 'planned' end,
    attempts = message.attempts - case when held.place = 1 then 0 else 1 end,
    claimed_by = case when held.place = 1 then message.claimed_by end,
    claimed_at = case when held.place = 1 then message.claimed_at end,
    error = case when held.place = 1 then cast(:error as text) || message.claimed_by end
from held
where message.message_id = held.message_id and message.state = 'sending'
returning message.message_id, message.state

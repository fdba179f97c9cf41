-- One message this worker holds: the state it ends in, or 'planned' for another try.
update marketing.messages
set
    state = :state,
    sent_at = :sent_at,
    error = :error,
    attempts = attempts - :attempts_not_made,
    claimed_by = case when :state = 'planned' then null else claimed_by end,
    claimed_at = case when :state = 'planned' then null else claimed_at end
where message_id = :message_id and state = 'sending' and claimed_by = :worker

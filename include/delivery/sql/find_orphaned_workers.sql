-- One row per worker that holds claims and is gone: the session lock of its name, with :worker_lock before it, was free,
-- and this transaction now has it.
-- The claims themselves are read by the next statement, on a snapshot taken after the lock: read in this one, a message
-- the worker had begun in between would still look untouched.
with claimants as materialized (
    select distinct claimed_by
    from marketing.messages
    where state = 'sending' and claimed_by is not null
)
select claimed_by
from claimants
where pg_try_advisory_xact_lock(hashtextextended(cast(:worker_lock as text) || claimed_by, 0))
order by claimed_by

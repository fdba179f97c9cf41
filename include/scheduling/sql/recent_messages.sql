-- One row per message of an earlier night that counts against the caps of the coming day: sent, or still to be sent.
-- Messages of the night itself do not count: a rerun judges as the first run did.
select
    customer_id,
    coalesce(sent_at, send_at) as at
from marketing.messages
where
    business_date < :business_date
    and state not in ('failed', 'expired', 'cancelled')
    and coalesce(sent_at, send_at) > cast(:end_of_day as timestamptz) - interval '7 days'
order by customer_id, at

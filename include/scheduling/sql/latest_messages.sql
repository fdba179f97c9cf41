-- One row per customer with a message of the campaign from an earlier night that was sent or still will be: the latest.
select
    customer_id,
    max(coalesce(sent_at, send_at)) as at
from marketing.messages
where
    campaign_id = :campaign_id
    and business_date < :business_date
    and state not in ('failed', 'expired', 'cancelled')
group by customer_id

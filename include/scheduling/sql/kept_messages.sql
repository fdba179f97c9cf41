-- One row per message of the night that delivery has already taken up, with its decision: a rerun leaves both.
select
    m.campaign_id,
    m.customer_id,
    m.channel,
    m.send_at
from marketing.messages as m
inner join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
where m.business_date = :business_date and m.state <> 'planned' and d.decision = 'scheduled'
order by m.campaign_id, m.customer_id

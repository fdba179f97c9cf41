-- One row per message of the last :window_days nights whose channel and hour were chosen, not drawn as a control or
-- moved since, nor a second one of its campaign, whose channel is none to choose, and whose 24 hours for a click lie
-- before the end of the day.
select m.message_id
from marketing.messages as m
inner join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
where
    m.state = 'sent'
    and m.sent_at < cast(:end_of_day as timestamptz) - interval '24 hours'
    and d.policy = :chosen
    and m.channel = d.channel
    and d.business_date > cast(:business_date as date) - cast(:window_days as integer)

-- One row per message of the night that delivery has already taken up, with its decision: a rerun leaves both.
drop table if exists pg_temp.kept_messages;

create temporary table kept_messages on commit drop as
select
    m.campaign_id,
    p.place,
    m.channel,
    cast(extract(epoch from m.send_at) * 1000000 as bigint) as at
from marketing.messages as m
inner join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
inner join pg_temp.people_of_night as p on m.customer_id = p.customer_id
where
    m.business_date = :business_date
    and m.state not in ('planned', 'awaiting_approval')
    and d.decision = 'scheduled'

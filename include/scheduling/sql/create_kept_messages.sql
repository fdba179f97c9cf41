-- One row per message of the night that a new plan leaves, with its decision, whatever becomes of it meanwhile:
-- delivery had taken it up, or the other message of its decision.
drop table if exists pg_temp.kept_messages;

create temporary table kept_messages on commit drop as
select
    m.campaign_id,
    m.customer_id,
    m.channel,
    cast(extract(epoch from m.send_at) * 1000000 as bigint) as at
from marketing.messages as m
inner join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
where
    m.business_date = :business_date
    and d.decision = 'scheduled'
    and not exists (select from pg_temp.replaced_messages as r where r.message_id = m.message_id);

analyze kept_messages

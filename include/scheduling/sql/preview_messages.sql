-- One row per campaign × channel × hour on the customers' own clocks: the messages of the night that have a place in its
-- plan, whatever became of them since, with what they cost and are expected to be worth.
with zones as materialized (
    select name from pg_timezone_names
)

select
    m.campaign_id,
    m.channel,
    cast(extract(hour from m.send_at at time zone coalesce(z.name, :default_zone)) as integer) as hour,
    count(*) as messages,
    sum(m.cost) as cost,
    sum(case m.channel when d.channel then d.expected_value else d.second_expected_value end) as expected_value,
    count(*) filter (where case m.channel when d.channel then d.explored else d.second_explored end) as explored,
    count(*) filter (where m.state = 'awaiting_approval') as awaiting_approval,
    min(m.send_at) as first_at,
    max(m.send_at) as last_at,
    max(m.not_after) as not_after
from marketing.messages as m
inner join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
left join marketing.customers as c using (customer_id)
left join zones as z on c.time_zone = z.name
where m.business_date = :business_date and d.decision = 'scheduled'
group by m.campaign_id, m.channel, hour
order by m.campaign_id collate "C", m.channel, hour

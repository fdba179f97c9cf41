-- One row per campaign × customer of its experiment: the arm of the first assignment, and the night that made it.
select distinct on (campaign_id, customer_id)
    campaign_id,
    customer_id,
    business_date,
    arm = 'treated' as is_treated
from marketing.message_decisions
where decision <> 'not_in_audience' and arm in ('treated', 'control') and business_date <= :business_date
order by campaign_id, customer_id, business_date, arm

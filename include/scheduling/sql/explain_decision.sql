-- One row: the decision of one night about one customer in one campaign as a sentence; also when there is none.
select
    format(
        'Night of %s, campaign %s, customer %s: %s',
        asked.business_date,
        coalesce(c.name, asked.campaign_id),
        asked.customer_id,
        coalesce(d.decision || ': ' || d.reason, 'not a candidate, so nothing was decided.')
    ) as sentence
from (
    values (cast(:business_date as date), cast(:campaign_id as text), cast(:customer_id as text))
) as asked (business_date, campaign_id, customer_id)
left join marketing.message_decisions as d using (business_date, campaign_id, customer_id)
left join marketing.campaigns as c using (campaign_id)

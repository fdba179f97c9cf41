-- One row: the latest date a campaign has results for (null: none), and its name.
select
    max(results.business_date) as business_date,
    coalesce(max(campaigns.name), :campaign_id) as name
from marketing.campaign_results as results
left join marketing.campaigns using (campaign_id)
where results.campaign_id = :campaign_id

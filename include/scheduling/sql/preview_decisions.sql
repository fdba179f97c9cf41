-- One row per campaign × decision of the night: how many candidates it met, and the campaign's name.
select
    d.campaign_id,
    coalesce(c.name, d.campaign_id) as name,
    d.decision,
    count(*) as candidates
from marketing.message_decisions as d
left join marketing.campaigns as c using (campaign_id)
where d.business_date = :business_date
group by d.campaign_id, c.name, c.priority, d.decision
order by c.priority desc nulls last, d.campaign_id collate "C", candidates desc, d.decision

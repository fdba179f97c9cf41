-- One row per campaign of the night whose messages wait for an answer to the plan as it is.
select
    a.campaign_id,
    a.preview_key,
    count(*) as messages
from marketing.campaign_approvals as a
inner join marketing.messages as m using (business_date, campaign_id)
where a.business_date = :business_date and a.is_current and a.status = 'waiting' and m.state = 'awaiting_approval'
group by a.campaign_id, a.preview_key
order by a.campaign_id collate "C"

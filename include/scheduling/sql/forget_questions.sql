-- The open questions of the night about campaigns other than :campaign_ids.
delete from marketing.campaign_approvals
where business_date = :business_date and status = 'waiting' and campaign_id <> all(:campaign_ids)

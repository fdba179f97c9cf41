-- The open questions of the night: they are about the plan that is being replaced.
delete from marketing.campaign_approvals where business_date = :business_date and status = 'waiting'

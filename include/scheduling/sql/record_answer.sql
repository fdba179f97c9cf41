-- The answer that holds for one plan of a campaign: the first one given.
update marketing.campaign_approvals
set
    status = case status when 'waiting' then :status else status end,
    answered_by = case status when 'waiting' then :answered_by else answered_by end,
    answered_at = case status when 'waiting' then :answered_at else answered_at end
where business_date = :business_date and campaign_id = :campaign_id and preview_key = :preview_key
returning status

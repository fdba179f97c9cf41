-- The refusal of one plan of a campaign's night decides on all of it.
update marketing.campaign_approvals
set is_current = (preview_key = :preview_key)
where business_date = :business_date and campaign_id = :campaign_id

-- What was answered, or is asked, about the plans of the night so far no longer decides on its messages, unless it was
-- no: that holds for the campaign's night, however it is planned.
update marketing.campaign_approvals
set is_current = false
where business_date = :business_date and is_current and status not in ('refused', 'timed_out')

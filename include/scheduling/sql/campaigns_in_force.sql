-- One row per campaign in force on the send date, the most important first.
select
    campaign_id,
    channels,
    audience,
    audience_filter,
    trigger,
    template,
    purpose,
    items_per_message,
    priority,
    cost_per_message,
    daily_budget,
    control_share,
    requires_approval
from marketing.campaigns
where cast(:send_date as date) between starts_on and ends_on
order by priority desc nulls last, campaign_id collate "C"

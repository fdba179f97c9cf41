-- What was asked about one plan of a campaign, and whether the campaign's night was refused under any plan.
select
    a.status,
    a.is_current,
    a.preview,
    exists (
        select from marketing.campaign_approvals as o
        where
            o.business_date = a.business_date
            and o.campaign_id = a.campaign_id
            and o.is_current
            and o.status in ('refused', 'timed_out')
    ) as is_refused
from marketing.campaign_approvals as a
where a.business_date = :business_date and a.campaign_id = :campaign_id and a.preview_key = :preview_key

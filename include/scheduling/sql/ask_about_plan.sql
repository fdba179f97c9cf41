-- The question about one campaign's plan of the night, if messages of it are awaiting approval, or the answer that this
-- very plan was given before. It decides on the plan's messages, unless the campaign was refused for the night.
insert into marketing.campaign_approvals as a (
    business_date, campaign_id, preview_key, is_current, status, preview
)
select
    :business_date,
    :campaign_id,
    :preview_key,
    true,
    'waiting',
    cast(:preview as jsonb)
where
    not exists (
        select from marketing.campaign_approvals
        where business_date = :business_date and campaign_id = :campaign_id and is_current
    )
    and (
        :is_awaiting
        or exists (
            select from marketing.campaign_approvals
            where business_date = :business_date and campaign_id = :campaign_id and preview_key = :preview_key
        )
    )
on conflict (business_date, campaign_id, preview_key) do update
set
    is_current = true,
    preview = case a.status when 'waiting' then excluded.preview else a.preview end

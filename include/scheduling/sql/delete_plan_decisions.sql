-- The decisions of the night, but for those whose message the new plan leaves.
delete from marketing.message_decisions as d
where
    d.business_date = :business_date
    and not exists (
        select from pg_temp.kept_messages as k
        where k.campaign_id = d.campaign_id and k.customer_id = d.customer_id
    )

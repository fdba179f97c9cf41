-- The decisions of the night, but for those whose message delivery has already taken up.
delete from marketing.message_decisions as d
where
    d.business_date = :business_date
    and not exists (
        select from marketing.messages as m
        where
            m.business_date = d.business_date
            and m.campaign_id = d.campaign_id
            and m.customer_id = d.customer_id
            and m.state not in ('planned', 'awaiting_approval')
            and d.decision = 'scheduled'
    )

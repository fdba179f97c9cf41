-- The messages of the night that a new plan replaces: those still planned or awaiting approval, and those cancelled for
-- want of it, which a new plan writes again.
delete from marketing.messages as m
where
    m.business_date = :business_date
    and (
        m.state in ('planned', 'awaiting_approval')
        or (
            m.state = 'cancelled'
            and exists (
                select from marketing.message_decisions as d
                where
                    d.business_date = m.business_date
                    and d.campaign_id = m.campaign_id
                    and d.customer_id = m.customer_id
                    and d.decision = 'not_approved'
            )
        )
    )

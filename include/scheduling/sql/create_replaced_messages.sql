-- One row per message of the night that a new plan replaces: those that delivery has not taken up, and those cancelled
-- for want of approval, which a new plan writes again. A campaign's two messages to a customer are one decision: where
-- one of them stays, both do.
drop table if exists pg_temp.replaced_messages;

create temporary table replaced_messages on commit drop as
with judged as (
    select
        m.message_id,
        m.campaign_id,
        m.customer_id,
        bool_and(
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
        ) over (partition by m.campaign_id, m.customer_id) as is_replaced
    from marketing.messages as m
    where m.business_date = :business_date
)

select message_id, campaign_id, customer_id
from judged
where is_replaced;

create unique index on replaced_messages (message_id);

analyze replaced_messages

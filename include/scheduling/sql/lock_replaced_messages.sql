-- Until the plan is written delivery takes up none of the messages that it replaces; one taken up just before is not
-- replaced, nor is the other one of its decision. What delivery holds is never locked: it can say at any time how a
-- message fared.
with locked as materialized (
    select m.message_id
    from marketing.messages as m
    inner join pg_temp.replaced_messages as r on m.message_id = r.message_id
    where m.state in ('planned', 'awaiting_approval', 'cancelled')
    for update of m
)

delete from pg_temp.replaced_messages as r
using pg_temp.replaced_messages as taken_up
where
    r.campaign_id = taken_up.campaign_id
    and r.customer_id = taken_up.customer_id
    and not exists (select from locked where locked.message_id = taken_up.message_id)

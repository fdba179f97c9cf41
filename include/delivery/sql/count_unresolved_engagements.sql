-- One number: engagements that belong to no message of ours and to none of a former tool.
select count(*)
from marketing.engagements as engagement
where
    engagement.occurred_at < :as_of
    and not exists (
        select from marketing.messages as message where message.message_id = engagement.message_id
    )
    and not exists (
        select
        from marketing.message_history as history
        where history.campaign_id = engagement.campaign_id and history.customer_id = engagement.customer_id
    )

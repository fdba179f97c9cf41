-- One row per engagement known by campaign and customer alone: it reacts to the latest message sent before it. A message
-- whose outcome was never learnt counts from the instant it was handed over.
with resolved as (
    select engagement.engagement_id, latest.message_id
    from marketing.engagements as engagement
    cross join lateral (
        select message.message_id
        from marketing.messages as message
        where
            message.campaign_id = engagement.campaign_id
            and message.customer_id = engagement.customer_id
            and message.state in ('sent', 'unknown')
            and coalesce(message.sent_at, message.claimed_at) <= engagement.occurred_at
        order by coalesce(message.sent_at, message.claimed_at) desc, message.message_id
        limit 1
    ) as latest
    where engagement.message_id is null and engagement.occurred_at < :as_of
)
update marketing.engagements as engagement
set message_id = resolved.message_id
from resolved
where engagement.engagement_id = resolved.engagement_id

-- One row per message taken up, by campaign and customer.
select
    campaign_id,
    place,
    channel,
    at
from pg_temp.kept_messages
order by campaign_id, place, channel

-- One row per message that counts against the caps of the coming day: of an earlier night, sent or still to be sent, or
-- sent by the former tool. Messages of the night itself do not count: a rerun judges as the first run did. Eight days hold
-- the customer's own calendar week, whatever the zone; ten business days hold every night that may have sent in them.
drop table if exists pg_temp.sent_messages;

create temporary table sent_messages on commit drop as
with counted as (
    select
        customer_id,
        channel,
        coalesce(sent_at, send_at) as at
    from marketing.messages
    where
        business_date < :business_date
        and business_date >= cast(:business_date as date) - 10
        and state not in ('failed', 'expired', 'cancelled')
        and coalesce(sent_at, send_at) > cast(:end_of_day as timestamptz) - interval '8 days'
    union all
    select
        customer_id,
        channel,
        sent_at
    from marketing.message_history
    where
        arm = 'treated'
        and channel = any(:channels)
        and sent_at < :end_of_day
        and sent_at > cast(:end_of_day as timestamptz) - interval '8 days'
)

select
    p.place,
    c.channel,
    cast(extract(epoch from c.at) * 1000000 as bigint) as at
from counted as c
inner join pg_temp.people_of_night as p on c.customer_id = p.customer_id

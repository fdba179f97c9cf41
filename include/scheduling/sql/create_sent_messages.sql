-- One row per message of an earlier night that counts against the caps of the coming day: sent, or still to be sent.
-- Messages of the night itself do not count: a rerun judges as the first run did. Eight days hold the customer's own
-- calendar week, whatever the zone.
drop table if exists pg_temp.sent_messages;

create temporary table sent_messages on commit drop as
select
    p.place,
    m.channel,
    cast(extract(epoch from coalesce(m.sent_at, m.send_at)) * 1000000 as bigint) as at
from marketing.messages as m
inner join pg_temp.people_of_night as p on m.customer_id = p.customer_id
where
    m.business_date < :business_date
    and m.state not in ('failed', 'expired', 'cancelled')
    and coalesce(m.sent_at, m.send_at) > cast(:end_of_day as timestamptz) - interval '8 days'

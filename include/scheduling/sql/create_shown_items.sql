-- One row per customer with a planned message × item that stood in a message sent to them in the last :remembered_days
-- days: how many days before the end of the date it last did.
-- Messages of the night itself do not count: a rerun judges as the first run did.
drop table if exists pg_temp.shown_items;

create temporary table shown_items on commit drop as
select
    m.customer_id,
    shown.item ->> 'item_id' as item_id,
    cast(extract(epoch from cast(:end_of_day as timestamptz) - max(m.sent_at)) as double precision) / 86400 as days_ago
from marketing.messages as m
cross join lateral jsonb_array_elements(
    case jsonb_typeof(m.content -> 'items') when 'array' then m.content -> 'items' else '[]' end
) as shown (item)
where
    m.state = 'sent'
    and m.business_date < :business_date
    and m.sent_at < :end_of_day
    and m.sent_at >= cast(:end_of_day as timestamptz) - make_interval(days => :remembered_days)
    and exists (select from pg_temp.planned_messages as p where p.customer_id = m.customer_id)
group by m.customer_id, shown.item ->> 'item_id';

analyze pg_temp.shown_items

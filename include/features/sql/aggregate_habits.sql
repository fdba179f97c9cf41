-- Grain: business day × customer × device, channel or search term.
insert into marketing.daily_habits (business_day, customer_no, kind, value)
select distinct read_events.business_day, feature_customers.customer_no, habits.kind, habits.value
from read_events
inner join marketing.feature_customers using (customer_id)
cross join lateral (
    values ('device', read_events.device), ('channel', read_events.channel), ('search', read_events.search)
) as habits (kind, value)
where
    (read_events.device is not null or read_events.channel is not null or read_events.search is not null)
    and habits.value is not null;

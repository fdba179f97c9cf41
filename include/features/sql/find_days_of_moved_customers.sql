-- Grain: business day with an event of a customer whose zone is now another.
insert into read_days (business_day)
select distinct cast(events.occurred_at at time zone cast(:business_time_zone as text) as date)
from moved_customers
inner join marketing.counted_events as events using (customer_id)
on conflict do nothing;

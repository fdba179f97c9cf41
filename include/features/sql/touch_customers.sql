-- Grain: customer with a change of days or hours; every event is activity, so those of habits are among them.
insert into touched_customers
select distinct customer_no from activity_changes
on conflict do nothing;

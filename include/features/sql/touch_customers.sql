-- Grain: customer with a change of days, hours or tastes.
insert into touched_customers
select customer_no from activity_changes
union
select customer_no from habit_changes
on conflict do nothing;

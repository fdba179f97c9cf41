-- Grain: customers of whom no event is left.
delete from marketing.customer_totals
where event_hours = 0 and customer_no in (select customer_no from touched_customers);

-- Grain: tastes and hours of which no day is left in the window.
with hours as (
    delete from marketing.customer_hours
    where days = 0 and customer_no in (select customer_no from touched_customers)
)

delete from marketing.customer_tastes
where days = 0 and customer_no in (select customer_no from touched_customers);

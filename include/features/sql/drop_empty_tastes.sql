-- Grain: tastes and hours of which no day is left in the window: looked for where a day went.
with hours as (
    delete from marketing.customer_hours as totals
    using (select distinct customer_no, is_weekend, local_hour from activity_changes where window_sign < 0) as gone
    where
        totals.customer_no = gone.customer_no
        and totals.is_weekend = gone.is_weekend
        and totals.local_hour = gone.local_hour
        and totals.days = 0
)

delete from marketing.customer_tastes
where days = 0 and customer_no in (select customer_no from touched_customers);

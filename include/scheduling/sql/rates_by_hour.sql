-- One row per customer × channel: the Beta parameters of the 24 hours of one type of day, in order.
select
    customer_id,
    channel,
    min(business_date) as business_date,
    array_agg(alpha order by hour) as alpha,
    array_agg(beta order by hour) as beta
from marketing.send_time_profiles
where day_type = :day_type
group by customer_id, channel

-- One row per channel: messages sent in the last :usual_days days, and customers who got one.
select channel, count(*) as messages, count(distinct customer_id) as customers
from response_sends
where sent_at >= cast(:end_of_day as timestamptz) - make_interval(days => :usual_days)
group by channel
order by channel

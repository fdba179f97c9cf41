-- One row per day × hour: sends of the day, and sends whose first click came on the day.
with told as (
    select sent as day, hour, 1 as sends, 0 as clicks from valued_sends
    union all
    select clicked, hour, 0, 1 from valued_sends where clicked is not null
)

select
    day,
    hour,
    sum(sends) as sends,
    sum(clicks) as clicks
from told
group by day, hour
order by day, hour

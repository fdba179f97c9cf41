-- One row per fold of customers × channel × type of day × hour: sends and how many of them were clicked.
select
    bucket % :folds as fold,
    channel,
    day_type,
    hour,
    count(*) as sends,
    count(clicked) as clicks
from valued_sends
group by fold, channel, day_type, hour
order by fold, channel, day_type, hour

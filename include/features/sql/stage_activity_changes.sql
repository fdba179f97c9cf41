-- Grain: rows of daily_activity that come into the totals, and those that leave the profile window.
insert into activity_changes
select *, 1, cast(cast(business_day > cast(:window_start as date) as integer) as smallint)
from marketing.daily_activity
where
    business_day <= cast(:business_date as date)
    and business_day in (select business_day from read_days)
union all
select *, 0, -1
from marketing.daily_activity
where
    business_day > cast(:former_window_start as date)
    and business_day <= cast(:window_start as date)
    and business_day <= cast(:former_date as date)
    and business_day not in (select business_day from read_days);

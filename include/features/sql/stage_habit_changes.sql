-- Grain: rows of daily_habits that come into the profile window, and those that leave it.
insert into habit_changes
select *, 1
from marketing.daily_habits
where
    business_day <= cast(:business_date as date)
    and business_day > cast(:window_start as date)
    and business_day in (select business_day from read_days)
union all
select *, -1
from marketing.daily_habits
where
    business_day > cast(:former_window_start as date)
    and business_day <= cast(:window_start as date)
    and business_day <= cast(:former_date as date)
    and business_day not in (select business_day from read_days);

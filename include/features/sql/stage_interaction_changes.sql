-- Grain: rows of daily_interactions that come into the totals, and those that leave the profile window. All days
-- after the former date are among those read; asked for by an `or`, they would cost a scan of all history.
insert into interaction_changes
select *, 1, cast(cast(business_day > cast(:window_start as date) as integer) as smallint)
from marketing.daily_interactions
where
    business_day <= cast(:business_date as date)
    and business_day in (select business_day from read_days)
union all
select *, 0, -1
from marketing.daily_interactions
where
    business_day > cast(:former_window_start as date)
    and business_day <= cast(:window_start as date)
    and business_day <= cast(:former_date as date)
    and business_day not in (select business_day from read_days);

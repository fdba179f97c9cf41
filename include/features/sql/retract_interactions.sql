-- Grain: rows of daily_interactions of days to be read anew; what the totals hold of them is to be taken off.
with former as (
    delete from marketing.daily_interactions
    where business_day in (select business_day from read_days)
    returning *
)

insert into interaction_changes
select
    *,
    -1,
    -cast(cast(business_day > cast(:former_window_start as date) as integer) as smallint)
from former
where business_day <= cast(:former_date as date);

-- Grain: rows of daily_habits of days to be read anew; what the totals hold of them is to be taken off.
with former as (
    delete from marketing.daily_habits
    where business_day in (select business_day from read_days)
    returning *
)

insert into habit_changes
select *, -1 from former
where business_day <= cast(:former_date as date) and business_day > cast(:former_window_start as date);

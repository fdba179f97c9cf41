-- Grain: rows of daily_prices of days to be read anew; what the totals hold of them is to be taken off.
with former as (
    delete from marketing.daily_prices
    where business_day in (select business_day from read_days)
    returning *
)

insert into price_changes
select item_no, unit_price, -lines from former
where business_day <= cast(:former_date as date);

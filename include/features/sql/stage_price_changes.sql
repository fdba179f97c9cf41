-- Grain: rows of daily_prices that come into the totals.
insert into price_changes
select item_no, unit_price, lines
from marketing.daily_prices
where
    business_day <= cast(:business_date as date)
    and business_day in (select business_day from read_days);

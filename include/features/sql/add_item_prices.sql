-- Grain: item × price with a change.
insert into marketing.item_prices as totals (item_no, unit_price, lines)
select item_no, unit_price, sum(lines)
from price_changes
group by item_no, unit_price
having sum(lines) <> 0
order by item_no
on conflict (item_no, unit_price) do update set lines = totals.lines + excluded.lines;

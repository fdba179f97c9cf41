-- Grain: prices at which nothing was bought any more: looked for where a line went.
delete from marketing.item_prices as totals
using (select distinct item_no, unit_price from price_changes where lines < 0) as gone
where totals.item_no = gone.item_no and totals.unit_price = gone.unit_price and totals.lines = 0;

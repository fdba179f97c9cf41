-- Grain: item whose bargain price changes: so far below its median price, and nothing for an item that was never sold as
-- low as that. To buy it at its one price says nothing of the customer.
insert into bargain_moves (item_no, former, present)
select item_no, former, present
from (
    select
        totals.item_no,
        totals.bargain_price as former,
        case
            when levels.level >= (select min(unit_price) from marketing.item_prices where item_no = totals.item_no)
                then levels.level
        end as present
    from (select distinct item_no from price_changes) as changed
    inner join marketing.item_totals as totals using (item_no)
    cross join lateral (select totals.median_price * (1 - cast(:bargain_below as numeric)) as level) as levels
) as moves
where former is distinct from present;

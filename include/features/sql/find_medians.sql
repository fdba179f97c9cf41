-- Grain: item with a change of prices; the median over purchase lines, the middle of the middle two of an even number.
with changed as (select distinct item_no from price_changes),

placed as (
    select
        item_prices.item_no,
        item_prices.unit_price,
        sum(item_prices.lines) over (partition by item_prices.item_no order by item_prices.unit_price) as upto,
        sum(item_prices.lines) over (partition by item_prices.item_no) as lines
    from marketing.item_prices
    inner join changed using (item_no)
),

medians as (
    select
        item_no,
        (
            cast(min(unit_price) filter (where 2 * upto >= lines) as double precision)
            + cast(min(unit_price) filter (where 2 * upto > lines) as double precision)
        ) / 2 as median_price
    from placed
    group by item_no
)

update marketing.item_totals as totals
set median_price = medians.median_price
from changed
left join medians using (item_no)
where totals.item_no = changed.item_no;

-- One row per category of at least 30 purchases in the eight weeks up to the date's end, or in all that is judged when
-- that is more: the logarithms of its median price and quantity, and the distance from them that is six robust standard
-- deviations (the quartiles' distance / 1.349, which a quarter of wild values on either side does not move).
select
    quartiles.category,
    quartiles.prices[2] as price,
    6 * (quartiles.prices[3] - quartiles.prices[1]) / 1.349 as price_distance,
    quartiles.quantities[2] as quantity,
    6 * (quartiles.quantities[3] - quartiles.quantities[1]) / 1.349 as quantity_distance
from (
    select
        sold.category,
        percentile_cont(array[0.25, 0.5, 0.75]) within group (order by sold.price) as prices,
        percentile_cont(array[0.25, 0.5, 0.75]) within group (order by sold.quantity) as quantities
    from (
        select
            coalesce(items.category, '') as category,
            case
                when events.unit_price > 0 and events.unit_price < 'NaN'
                    then ln(cast(events.unit_price as double precision))
            end as price,
            case when events.quantity > 0 and events.quantity < 'Infinity' then ln(events.quantity) end as quantity
        from marketing.events
        left join marketing.items on items.item_id = events.item_id
        where events.event_type = 'purchase'
            and events.occurred_at
            >= least(cast(:unjudged_since as timestamptz), cast(:day_end as timestamptz) - interval '56 days')
            and events.occurred_at < cast(:day_end as timestamptz)
    ) as sold
    group by sold.category
    having count(*) >= 30
) as quartiles

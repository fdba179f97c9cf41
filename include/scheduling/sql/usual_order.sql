-- One row: the mean margin of an order of the last days, anybody's; null without one.
with lines as (
    select
        e.customer_id,
        coalesce(e.order_id, 'event:' || e.event_id) as order_id,
        coalesce(e.quantity, 1)
        * cast(coalesce(e.unit_price, i.price, 0) as double precision)
        * coalesce(i.margin_rate, :default_margin_rate) as margin
    from marketing.counted_events as e
    left join marketing.items as i on e.item_id = i.item_id
    where
        e.event_type = 'purchase'
        and e.occurred_at >= cast(:end_of_day as timestamptz) - make_interval(days => :usual_days)
        and e.occurred_at < :end_of_day
)

-- Whole ten-thousandths add up to the same in any order.
select sum(cast(margin * 10000 as bigint)) / 10000 / nullif(count(distinct (customer_id, order_id)), 0) as margin
from lines

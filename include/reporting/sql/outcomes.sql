-- One row per order of an assigned customer since the first assignment of anybody. A purchase without an
-- order id is an order of its own.
-- Money is summed in whole ten-thousandths: exact, so independent of the order of rows, and twice as fast as numeric.
-- Returns are not taken off.
create temporary table report_orders on commit drop as
with
lines as (
    select
        e.customer_id, coalesce(e.order_id, 'event:' || e.event_id) as order_id, e.occurred_at,
        cast(coalesce(e.quantity, 1) * cast(coalesce(e.unit_price, i.price, 0) * 10000 as bigint) as bigint) as revenue,
        coalesce(i.margin_rate, :default_margin_rate) as margin_rate,
        e.properties ? 'generated' and lower(e.properties ->> 'generated') = 'true' as generated
    from marketing.counted_events e
    left join marketing.items i on i.item_id = e.item_id
    where
        e.event_type = 'purchase'
        and e.occurred_at >= :since
        and e.occurred_at < :end_of_day
        and e.customer_id in (select customer_id from report_assignments)
)
select
    customer_id, order_id,
    min(occurred_at) as ordered_at,
    sum(revenue) / 10000 as revenue,
    sum(cast(revenue * margin_rate as bigint)) / 10000 as gross_margin,
    bool_or(generated) as generated
from lines
group by customer_id, order_id;

analyze report_orders;

-- One row per assignment: what the customer bought, and what messages cost, from then on, zero included.
-- The campaign's cost per order is the cost of handling one, so it is taken off every order of every arm.
create temporary table report_outcomes on commit drop as
with
bought as (
    select
        a.campaign_id, a.customer_id,
        count(*) as orders,
        sum(o.revenue) as revenue,
        sum(o.gross_margin) as gross_margin,
        bool_or(o.generated) as generated
    from report_assignments a
    inner join report_orders o on o.customer_id = a.customer_id and o.ordered_at >= a.assigned_at
    group by a.campaign_id, a.customer_id
),
spent as (
    select a.campaign_id, a.customer_id, sum(s.cost) as cost
    from report_assignments a
    inner join report_sends s
        on s.customer_id = a.customer_id
        and s.sent_at >= a.assigned_at
        and (s.campaign_id = a.campaign_id or a.campaign_id is null)
    group by a.campaign_id, a.customer_id
)
select
    a.campaign_id, a.customer_id, a.arm, a.from_history,
    coalesce(b.orders, 0) as orders,
    coalesce(b.revenue, 0) as revenue,
    coalesce(b.gross_margin - b.orders * coalesce(c.cost_per_order, 0), 0) as margin,
    coalesce(s.cost, 0) as cost,
    coalesce(b.generated, false) as generated
from report_assignments a
left join marketing.campaigns c on c.campaign_id = a.campaign_id
left join bought b on b.customer_id = a.customer_id and b.campaign_id is not distinct from a.campaign_id
left join spent s on s.customer_id = a.customer_id and s.campaign_id is not distinct from a.campaign_id;

analyze report_outcomes;

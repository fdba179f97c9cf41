-- One row per campaign × arm (campaign null: the global holdout's term): sums and squares
-- per customer of each metric, and the cost of what was sent to the arm.
select
    o.campaign_id, o.arm,
    count(*) as customers,
    count(*) filter (where o.orders > 0) as buyers,
    sum(o.margin) as margin_per_customer,
    sum(o.margin * o.margin) as margin_per_customer_squares,
    sum(o.orders) as orders_per_customer,
    sum(o.orders * o.orders) as orders_per_customer_squares,
    sum(o.revenue) as revenue_per_customer,
    sum(o.revenue * o.revenue) as revenue_per_customer_squares,
    sum(o.cost) as cost,
    bool_or(o.generated) as includes_generated,
    bool_or(o.from_history) as from_history,
    max(c.control_share) as control_share
from report_outcomes o
left join marketing.campaigns c on c.campaign_id = o.campaign_id
group by o.campaign_id, o.arm
order by o.campaign_id nulls last, o.arm

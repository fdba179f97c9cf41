-- Grain: customer × item whose list price on the date lies so far below that of one of the last days, seen or put into
-- the cart before it fell and not bought since; since the end of the last date of the higher price.
with fallen as (
    select
        f.item_id,
        cast(max(former.business_date) + 1 as timestamp) at time zone cast(:business_time_zone as text) as since
    from marketing.item_features as f
    inner join marketing.item_features as former using (item_id)
    where
        f.business_date = :business_date
        and f.in_stock is distinct from false
        and f.list_price > 0
        and former.business_date >= :item_from_date
        and former.business_date < :business_date
        and f.list_price <= former.list_price * (1 - cast(:price_drop_share as numeric))
    group by f.item_id
),

interests as (
    select
        e.customer_id,
        e.item_id,
        p.since,
        max(e.occurred_at) filter (where e.event_type <> 'purchase' and e.occurred_at < p.since) as interested_at,
        max(e.occurred_at) filter (where e.event_type = 'purchase') as bought_at
    from marketing.counted_events as e
    inner join fallen as p using (item_id)
    where
        e.occurred_at >= :interest_from
        and e.occurred_at < :end_of_day
        and e.event_type in ('view', 'add_to_cart', 'purchase')
    group by e.customer_id, e.item_id, p.since
)

select
    customer_id,
    item_id,
    since
from interests
where interested_at is not null and (bought_at is null or bought_at < interested_at)

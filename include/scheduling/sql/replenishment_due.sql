-- Grain: customer × item, or category, bought on several days, at whose mean interval it was to be bought again in the
-- last days and was not; since that instant. Of a category the item bought last. daily_interactions has a row per
-- customer, item and day with a purchase that counts; not known to be out of stock.
with purchase_days as (
    select
        bought.customer_no,
        bought.business_day,
        case when cast(:replenishment_of as text) = 'item' then i.item_id else i.category end as thing,
        max(bought.last_occurred_at) as at,
        (array_agg(i.item_id order by bought.last_occurred_at desc, i.item_id collate "C"))[1] as item_id
    from marketing.daily_interactions as bought
    inner join marketing.feature_items as i using (item_no)
    where
        bought.business_day >= :replenishment_from_date
        and bought.business_day <= :business_date
        and bought.type_no = :purchase_no
    group by bought.customer_no, bought.business_day, thing
),

rhythms as (
    select
        customer_no,
        max(at) + (max(at) - min(at)) / (count(*) - 1) as since,
        (array_agg(item_id order by business_day desc))[1] as item_id
    from purchase_days
    where thing is not null
    group by customer_no, thing
    having count(*) >= cast(:replenishment_purchases as integer)
)

select
    c.customer_id,
    rhythms.item_id,
    rhythms.since
from rhythms
inner join marketing.feature_customers as c using (customer_no)
left join marketing.item_features as f on f.business_date = :business_date and rhythms.item_id = f.item_id
where
    rhythms.since >= :due_from
    and rhythms.since < :end_of_day
    and f.in_stock is distinct from false

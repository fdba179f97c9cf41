-- One row per customer × purpose with published recommendations of the date: the first items as a message carries
-- them, in rank order, and the margin of each (0 when no price is known).
select
    r.customer_id,
    r.purpose,
    json_agg(
        json_build_object('item_id', r.item_id, 'strategy', r.strategy, 'reason_item_id', r.reason_item_id)
        order by r.rank
    ) as items,
    array_agg(
        cast(coalesce(i.price, f.median_price, 0) as double precision) * coalesce(i.margin_rate, :default_margin_rate)
        order by r.rank
    ) as margins
from marketing.recommendations as r
left join marketing.items as i on r.item_id = i.item_id
left join marketing.item_features as f on r.item_id = f.item_id and r.business_date = f.business_date
where r.business_date = :business_date and r.purpose = any(:purposes) and r.rank <= :longest_list
group by r.customer_id, r.purpose

-- Grain: items whose latest purchase of the days read anew was taken away: the latest is looked up in the days.
with corrected as (
    select item_no
    from pair_changes
    group by item_no
    having max(removed_purchase_at) > coalesce(max(added_purchase_at), '-infinity')
),

latest as (
    select corrected.item_no, max(daily.last_occurred_at) as last_purchase_at
    from corrected
    left join marketing.daily_interactions as daily
        on
            corrected.item_no = daily.item_no
            and daily.type_no = :purchase_no
            and daily.business_day <= cast(:business_date as date)
    group by corrected.item_no
)

update marketing.item_totals as totals
set last_purchase_at = latest.last_purchase_at
from latest
where totals.item_no = latest.item_no;

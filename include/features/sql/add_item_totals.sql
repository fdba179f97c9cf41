-- Grain: item with a change. pair_changes knows what its pairs were before.
insert into marketing.item_totals as totals (
    item_no, event_days, buyers, purchase_days, popularity, last_purchase_at
)
select
    item_no,
    sum(event_days),
    sum(
        cast(former_purchase_days + purchase_days > 0 as integer) - cast(former_purchase_days > 0 as integer)
    ),
    sum(purchase_days),
    sum(decay),
    max(added_purchase_at)
from pair_changes
group by item_no
on conflict (item_no) do update set
    event_days = totals.event_days + excluded.event_days,
    buyers = totals.buyers + excluded.buyers,
    purchase_days = totals.purchase_days + excluded.purchase_days,
    popularity = totals.popularity + excluded.popularity,
    last_purchase_at = greatest(totals.last_purchase_at, excluded.last_purchase_at);

-- Grain: customer × category or brand with a change of purchases in the window.
insert into marketing.customer_tastes as totals (customer_no, kind, value, days, weight)
select
    pair_changes.customer_no, kinds.kind, kinds.value, sum(pair_changes.window_purchase_days),
    sum(pair_changes.window_decay)
from pair_changes
inner join marketing.feature_items using (item_no)
cross join lateral (values ('category', feature_items.category), ('brand', feature_items.brand)) as kinds (kind, value)
where kinds.value is not null and (pair_changes.window_purchase_days <> 0 or pair_changes.window_decay <> 0)
group by pair_changes.customer_no, kinds.kind, kinds.value
order by pair_changes.customer_no
on conflict (customer_no, kind, value) do update set
    days = totals.days + excluded.days, weight = totals.weight + excluded.weight;

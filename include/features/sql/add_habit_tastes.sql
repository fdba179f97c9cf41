-- Grain: customer × device, channel or search term with a change in the window.
insert into marketing.customer_tastes as totals (customer_no, kind, value, days, weight)
select
    changes.customer_no, changes.kind, changes.value, sum(changes.window_sign),
    sum(case changes.window_sign when 1 then day_weights.decay when -1 then -day_weights.decay end)
from habit_changes as changes
inner join day_weights on changes.business_day = day_weights.business_day and day_weights.type_no = :purchase_no
group by changes.customer_no, changes.kind, changes.value
on conflict (customer_no, kind, value) do update set
    days = totals.days + excluded.days, weight = totals.weight + excluded.weight;

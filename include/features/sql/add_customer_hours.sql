-- Grain: customer × weekend or not × hour with a change in the window. An hour of a day counts once.
insert into marketing.customer_hours as totals (customer_no, is_weekend, local_hour, days, weight)
select
    changes.customer_no, changes.is_weekend, changes.local_hour, sum(changes.window_sign),
    sum(case changes.window_sign when 1 then day_weights.decay when -1 then -day_weights.decay end)
from activity_changes as changes
inner join day_weights on changes.business_day = day_weights.business_day and day_weights.type_no = :purchase_no
where changes.window_sign <> 0
group by changes.customer_no, changes.is_weekend, changes.local_hour
order by changes.customer_no
on conflict (customer_no, is_weekend, local_hour) do update set
    days = totals.days + excluded.days, weight = totals.weight + excluded.weight;

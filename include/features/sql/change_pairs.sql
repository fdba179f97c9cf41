-- Grain: customer × item with a change. sign and window_sign add up to the difference to the totals.
with changes as (
    select
        changes.customer_no,
        changes.item_no,
        sum(case changes.sign when 1 then day_weights.weight when -1 then -day_weights.weight else 0 end) as weight,
        coalesce(
            sum(case changes.sign when 1 then day_weights.decay when -1 then -day_weights.decay end)
            filter (where changes.type_no = :purchase_no), 0
        ) as decay,
        coalesce(
            sum(case changes.window_sign when 1 then day_weights.decay when -1 then -day_weights.decay end)
            filter (where changes.type_no = :purchase_no), 0
        ) as window_decay,
        sum(changes.sign) as event_days,
        coalesce(sum(changes.sign) filter (where changes.type_no = :purchase_no), 0) as purchase_days,
        coalesce(sum(changes.window_sign) filter (where changes.type_no = :purchase_no), 0) as window_purchase_days,
        max(changes.last_occurred_at) filter (where changes.sign = 1) as added_at,
        max(changes.last_occurred_at) filter (where changes.sign = -1) as removed_at,
        max(changes.last_occurred_at) filter (where changes.sign = 1 and changes.type_no = :purchase_no)
            as added_purchase_at,
        max(changes.last_occurred_at) filter (where changes.sign = -1 and changes.type_no = :purchase_no)
            as removed_purchase_at
    from interaction_changes as changes
    inner join day_weights using (business_day, type_no)
    group by changes.customer_no, changes.item_no
)

insert into pair_changes (
    customer_no, item_no, weight, decay, window_decay, event_days, purchase_days, window_purchase_days,
    former_purchase_days, added_at, removed_at, added_purchase_at, removed_purchase_at
)
select
    changes.customer_no,
    changes.item_no,
    changes.weight,
    changes.decay,
    changes.window_decay,
    changes.event_days,
    changes.purchase_days,
    changes.window_purchase_days,
    coalesce(totals.purchase_days, 0),
    changes.added_at,
    changes.removed_at,
    changes.added_purchase_at,
    changes.removed_purchase_at
from changes
left join marketing.interaction_totals as totals using (customer_no, item_no);

-- One row per new member of the holdout's term; a night run for an earlier date moves the first day back.
insert into marketing.holdouts as h (holdout_id, customer_id, assigned_on)
select
    :holdout_id,
    m.customer_id,
    :business_date
from unnest(cast(:customer_ids as text[])) as m (customer_id)
on conflict (holdout_id, customer_id) do update set assigned_on = excluded.assigned_on
where excluded.assigned_on < h.assigned_on

-- One row per term of the global holdout, in their order: when it began, and when the last of its members was released;
-- null: some still are held out.
select
    holdout_id,
    min(assigned_on) as started_on,
    case when bool_and(released_on is not null) then max(released_on) end as released_on
from marketing.holdouts
group by holdout_id
order by started_on, released_on nulls last, holdout_id

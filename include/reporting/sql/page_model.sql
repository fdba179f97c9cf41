-- The model in force: the newest promoted one that may make lists, in one row; none before the first.
select
    model_id,
    algorithm,
    business_date,
    reason,
    parameters ->> 'origin' as origin,
    parameters ->> 'learned_on' as learned_on,
    metrics
from marketing.models
where status = 'champion' and algorithm in ('two_stage', 'plain')
order by business_date desc, model_id
limit 1

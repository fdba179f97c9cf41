-- One row per model, rejected recipe or proposal, the newest first. Who is rejected although it has an artifact was
-- promoted once, and taken out of force by hand.
select
    model_id,
    business_date,
    reason,
    metrics,
    case
        when algorithm = 'proposal' then 'proposal_' || status
        when status = 'rejected' and artifact_uri <> '' and algorithm in ('two_stage', 'plain') then 'taken_out'
        else status
    end as state
from marketing.models
order by business_date desc, algorithm = 'proposal' desc, status = 'champion' desc, model_id
limit :models

-- Grain: date × customer × purpose × rank. Drafts of customers that the date's features no longer have stay behind.
insert into marketing.recommendations (
    business_date, customer_id, purpose, rank, item_id, score, strategy, reason_item_id, model_id
)
select
    drafts.business_date,
    drafts.customer_id,
    drafts.purpose,
    drafts.rank,
    drafts.item_id,
    drafts.score,
    drafts.strategy,
    drafts.reason_item_id,
    drafts.model_id
from marketing.recommendation_drafts as drafts
inner join marketing.customer_features using (business_date, customer_id)
where drafts.business_date = :business_date
order by drafts.customer_id, drafts.purpose, drafts.rank

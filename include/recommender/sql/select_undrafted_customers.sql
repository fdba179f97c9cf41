-- Grain: one row per customer of the date without a draft of the next purchases made with the model in force.
select customer_features.customer_id
from marketing.customer_features
where
    customer_features.business_date = :business_date
    and not exists (
        select 1
        from marketing.recommendation_drafts as drafts
        where
            drafts.business_date = customer_features.business_date
            and drafts.customer_id = customer_features.customer_id
            and drafts.purpose = :purpose
            and drafts.model_id = :model_id
    )

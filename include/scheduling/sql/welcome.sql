-- Grain: customer of the date who was created in the last days, or of whom that is not known and who was first seen in
-- them: who is not in the features of the last date before, if there is one.
with former as (
    select max(business_date) as business_date
    from marketing.customer_features
    where business_date < :welcome_from_date
)

select
    today.customer_id,
    cast(null as text) as item_id,
    coalesce(
        c.created_at,
        (
            select cast(min(seen.business_date) as timestamp) at time zone cast(:business_time_zone as text)
            from marketing.customer_features as seen
            where
                seen.business_date between :welcome_from_date and :business_date
                and seen.customer_id = today.customer_id
        )
    ) as since
from marketing.customer_features as today
cross join former
left join marketing.customers as c on today.customer_id = c.customer_id
left join marketing.customer_features as earlier
    on former.business_date = earlier.business_date and today.customer_id = earlier.customer_id
where
    today.business_date = :business_date
    and case
        when c.created_at is not null then c.created_at >= :welcome_from and c.created_at < :end_of_day
        else former.business_date is not null and earlier.customer_id is null
    end

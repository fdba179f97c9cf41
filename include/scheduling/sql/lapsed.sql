-- Grain: customer who is lapsed on the date and was not some days before; since the end of the last date they were not.
-- Some days before is the latest date with features up to then, or the first one after.
with former as (
    select
        coalesce(
            (select max(business_date) from marketing.customer_features where business_date <= :lapsed_from_date),
            (select min(business_date) from marketing.customer_features where business_date < :business_date)
        ) as business_date
)

select
    today.customer_id,
    cast(null as text) as item_id,
    (
        select cast(max(seen.business_date) + 1 as timestamp) at time zone cast(:business_time_zone as text)
        from marketing.customer_features as seen
        where
            seen.business_date >= former.business_date
            and seen.business_date < :business_date
            and seen.customer_id = today.customer_id
            and seen.lifecycle_stage <> 'lapsed'
    ) as since
from marketing.customer_features as today
cross join former
inner join marketing.customer_features as earlier
    on former.business_date = earlier.business_date and today.customer_id = earlier.customer_id
where
    today.business_date = :business_date
    and today.lifecycle_stage = 'lapsed'
    and earlier.lifecycle_stage <> 'lapsed'

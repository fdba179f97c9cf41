-- One row: the last business date before :business_date that passed the gate, and the newest landing file judged then;
-- both null before the first such date. A check that could not be computed has no observed value and never passes.
with passed as (
    select
        business_date,
        max(observed_value) filter (where table_name = 'landing_files') as newest_file
    from marketing.quality_results
    where business_date < :business_date
    group by business_date
    having bool_and(success or (severity <> 'critical' and observed_value is not null))
)

select
    max(business_date) as business_date,
    cast((array_agg(newest_file order by business_date desc))[1] as bigint) as newest_file
from passed

-- One row per business date, latest first: what the gate said, what landed, which model, how many lists and messages.
-- Dates come from the small tables every night writes, never from a scan of events or decisions.
with nights as (
    select business_date from marketing.quality_results
    union
    select business_date from marketing.models
    union
    select business_date from marketing.campaign_results
    order by business_date desc
    limit :nights
),

gate as (
    select
        business_date,
        count(*) as checks,
        count(*) filter (where not success and severity = 'critical') as critical_failures,
        count(*) filter (where not success and severity = 'warning') as warnings,
        array_agg(message order by table_name, expectation, column_name)
            filter (where not success and severity = 'critical') as critical_messages
    from marketing.quality_results
    where business_date in (select business_date from nights)
    group by business_date
),

landed as (
    select
        business_date,
        sum(rows_accepted)::bigint as rows_landed,
        sum(rows_quarantined)::bigint as rows_quarantined
    from marketing.landing_files
    where business_date in (select business_date from nights)
    group by business_date
),

trained as (
    select distinct on (business_date)
        business_date, model_id, algorithm, status as model_status, reason as model_reason, metrics
    from marketing.models
    where business_date in (select business_date from nights) and algorithm <> 'proposal'
    order by business_date, (status = 'champion') desc, model_id
),

recommended as (
    select business_date, count(*) as recommendations
    from marketing.recommendations
    where business_date in (select business_date from nights)
    group by business_date
),

planned as (
    select business_date, jsonb_object_agg(state, messages) as messages_by_state
    from (
        select business_date, state, count(*) as messages
        from marketing.messages
        where business_date in (select business_date from nights)
        group by business_date, state
    ) as by_state
    group by business_date
)

select *
from nights
left join gate using (business_date)
left join landed using (business_date)
left join trained using (business_date)
left join recommended using (business_date)
left join planned using (business_date)
order by business_date desc

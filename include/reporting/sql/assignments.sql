-- One row per campaign × customer: the arm of the first assignment and the instant from which purchases count.
-- Candidates outside the audience are left out; everybody else stays in, messaged or not (intent to treat).
create temporary table report_assignments on commit drop as
with
decided as (
    select campaign_id, customer_id, arm, min(business_date) as business_date
    from marketing.message_decisions
    where business_date <= :business_date and decision <> 'not_in_audience'
    group by campaign_id, customer_id, arm
),
messaged as (
    -- A message stands for a decision that retention has removed.
    select campaign_id, customer_id, min(business_date) as business_date
    from marketing.messages
    where business_date <= :business_date
    group by campaign_id, customer_id
),
candidates as (
    select
        campaign_id, customer_id, arm,
        cast(business_date + 1 as timestamp) at time zone :time_zone as assigned_at, false as from_history
    from decided
    union all
    select
        campaign_id, customer_id, 'treated',
        cast(business_date + 1 as timestamp) at time zone :time_zone, false
    from messaged
    union all
    select campaign_id, customer_id, arm, min(sent_at), true
    from marketing.message_history
    where sent_at < :end_of_day
    group by campaign_id, customer_id, arm
)
select distinct on (campaign_id, customer_id)
    campaign_id, customer_id, arm, assigned_at, from_history
from candidates
order by campaign_id, customer_id, assigned_at, from_history, arm;

-- And one row per customer with a null campaign: the global holdout's present term against everybody else decided in it.
-- Who joined the holdout only after a first decision, as when its share was raised, may have been messaged: neither arm.
insert into report_assignments (campaign_id, customer_id, arm, assigned_at, from_history)
with
term as (
    select holdout_id, min(assigned_on) as started_on
    from marketing.holdouts
    where assigned_on <= :business_date
    group by holdout_id
    having bool_or(released_on is null or released_on > :business_date)
    order by started_on desc, holdout_id desc
    limit 1
),
decided as (
    select d.customer_id, t.holdout_id, min(d.business_date) as business_date
    from marketing.message_decisions d
    cross join term t
    where d.business_date between t.started_on and :business_date
    group by d.customer_id, t.holdout_id
)
select
    null, d.customer_id, case when h.customer_id is null then 'treated' else 'holdout' end,
    cast(d.business_date + 1 as timestamp) at time zone :time_zone, false
from decided d
left join marketing.holdouts h
    on h.holdout_id = d.holdout_id and h.customer_id = d.customer_id and h.assigned_on <= :business_date
where h.assigned_on is null or h.assigned_on <= d.business_date;

create index on report_assignments (customer_id);
analyze report_assignments;

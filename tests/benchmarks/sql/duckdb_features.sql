-- DuckDB's own way to what include/features keeps: from the events' Parquet file to daily aggregates, totals, hours and
-- tastes, for a shop whose business is in UTC, whose customers are in one zone, and whose items have a category only.
-- Ids become numbers first, as they do in Postgres: narrow keys are what makes either fast.
create table read_events as
select
    event_type,
    cast(substr(customer_id, 2) as integer) as customer_no,
    cast(substr(item_id, 2) as integer) as item_no,
    cast(occurred_at as timestamptz) as occurred_at,
    cast(cast(occurred_at as timestamptz) at time zone 'UTC' as date) as business_day,
    cast(unit_price as decimal(14, 4)) as unit_price,
    cast(quantity as double) * cast(unit_price as decimal(14, 4)) as amount,
    case when event_type = 'search' then nullif(lower(trim(query)), '') end as search
from read_parquet($events);

create table types as select type, no from (
    select unnest($event_types) as type, unnest(range(1, len($event_types) + 1)) as no
);

create table daily_interactions as
select business_day, customer_no, item_no, list_position($event_types, event_type) as type_no,
    max(occurred_at) as last_occurred_at
from read_events
where item_no is not null
group by all;

create table daily_activity as
with local_events as (select *, occurred_at at time zone $zone as local_time from read_events)

select
    business_day,
    customer_no,
    hour(local_time) as local_hour,
    bool_or(isodow(local_time) > 5) as is_weekend,
    min(occurred_at) filter (where event_type = 'purchase') as first_purchase_at,
    max(occurred_at) filter (where event_type = 'purchase') as last_purchase_at,
    sum(amount) filter (where event_type = 'purchase') as amount
from local_events
group by business_day, customer_no, hour(local_time);

create table daily_habits as
select distinct business_day, customer_no, 'search' as kind, search as value
from read_events
where search is not null;

create table daily_prices as
select business_day, item_no, unit_price, count(*) as lines
from read_events
where event_type = 'purchase' and unit_price is not null and item_no is not null
group by all;

create table day_weights as
select
    business_day,
    no as type_no,
    $event_weights[no] * power(2, (business_day - cast($business_date as date)) / $half_life_days) as weight,
    power(2, (business_day - cast($business_date as date)) / $half_life_days) as decay
from (select distinct business_day from daily_activity)
cross join types;

create table interaction_totals as
select
    customer_no,
    item_no,
    sum(weight) as weight,
    coalesce(sum(decay) filter (where type_no = $purchase_no and business_day > $window_start), 0) as window_decay,
    coalesce(sum(decay) filter (where type_no = $purchase_no), 0) as decay,
    count(*) as event_days,
    count(*) filter (where type_no = $purchase_no) as purchase_days,
    count(*) filter (where type_no = $purchase_no and business_day > $window_start) as window_purchase_days,
    max(last_occurred_at) as last_occurred_at,
    max(last_occurred_at) filter (where type_no = $purchase_no) as last_purchase_at
from daily_interactions
inner join day_weights using (business_day, type_no)
group by customer_no, item_no;

create table item_prices as
select item_no, unit_price, sum(lines) as lines from daily_prices group by all;

create table item_totals as
with placed as (
    select
        item_no,
        unit_price,
        sum(lines) over (partition by item_no order by unit_price) as upto,
        sum(lines) over (partition by item_no) as lines
    from item_prices
),

medians as (
    select
        item_no,
        (
            min(unit_price) filter (where 2 * upto >= lines) + min(unit_price) filter (where 2 * upto > lines)
        ) / 2 as median_price
    from placed
    group by item_no
),

totals as (
    select
        item_no,
        sum(event_days) as event_days,
        count(*) filter (where purchase_days > 0) as buyers,
        sum(purchase_days) as purchase_days,
        sum(decay) as popularity,
        max(last_purchase_at) as last_purchase_at
    from interaction_totals
    group by item_no
),

places as (
    select
        item_no,
        cast(round(
            1000 * (
                sum(purchase_days) over (partition by item_no % 100 order by median_price)
                - sum(purchase_days) over (partition by item_no % 100, median_price) / 2.0
            ) / sum(purchase_days) over (partition by item_no % 100)
        ) as integer) as price_permille
    from totals
    inner join medians using (item_no)
)

select totals.*, medians.median_price, places.price_permille
from totals
left join medians using (item_no)
left join places using (item_no);

create table customer_totals as
with days as (
    select
        customer_no,
        business_day,
        count(*) as hours,
        min(first_purchase_at) as first_purchase_at,
        max(last_purchase_at) as last_purchase_at,
        coalesce(sum(amount), 0) as amount
    from daily_activity
    group by customer_no, business_day
),

levels as (
    select
        customer_no, sum(window_purchase_days * price_permille) as price_points,
        sum(window_purchase_days) as priced_days
    from interaction_totals
    inner join item_totals using (item_no)
    where price_permille is not null
    group by customer_no
),

sums as (
    select
        customer_no,
        sum(hours) as event_hours,
        count(*) filter (where first_purchase_at is not null) as purchase_days,
        min(first_purchase_at) as first_purchase_at,
        max(last_purchase_at) as last_purchase_at,
        sum(amount) as amount,
        coalesce(sum(amount) filter (where business_day > $window_start), 0) as window_amount,
        list(business_day order by business_day)
            filter (where business_day > $window_start and first_purchase_at is not null) as window_purchase_dates
    from days
    group by customer_no
)

select sums.*, coalesce(levels.price_points, 0) as price_points, coalesce(levels.priced_days, 0) as priced_days
from sums
left join levels using (customer_no);

create table customer_hours as
select customer_no, is_weekend, local_hour, count(*) as days, sum(decay) as weight
from daily_activity
inner join day_weights using (business_day)
where type_no = $purchase_no and business_day > $window_start
group by customer_no, is_weekend, local_hour;

create table customer_tastes as
select
    customer_no, 'category' as kind, 'category ' || (item_no % 100) as value, sum(window_purchase_days) as days,
    sum(window_decay) as weight
from interaction_totals
where window_purchase_days > 0
group by customer_no, item_no % 100
union all
select customer_no, kind, value, count(*), sum(decay)
from daily_habits
inner join day_weights using (business_day)
where type_no = $purchase_no and business_day > $window_start
group by customer_no, kind, value;

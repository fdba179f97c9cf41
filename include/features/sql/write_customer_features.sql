-- Grain: one row per customer: every row of customers, and every customer with an event before the end of the
-- business date. "Window": the last profile_days business days, the business date included.
with purchase_intervals as materialized (
    -- Grain: customer with any event. Mean days between purchase days of the window; the usual interval with fewer than
    -- two of them. Materialized, or each use below would work its figures out again.
    select
        *,
        cast(:business_date as date) - cast(first_purchase_at at time zone cast(:business_time_zone as text) as date)
            as days_since_first_purchase,
        cast(:business_date as date) - cast(last_purchase_at at time zone cast(:business_time_zone as text) as date)
            as recency,
        cardinality(window_purchase_dates) as frequency,
        cast(
            window_purchase_dates[cardinality(window_purchase_dates)] - window_purchase_dates[1] as numeric
        ) / nullif(cardinality(window_purchase_dates) - 1, 0) as mean_interval,
        -- Before the last purchase day: the silence, and the mean interval of those before it. A purchase day before the
        -- window is taken to be the last day before it.
        window_purchase_dates[cardinality(window_purchase_dates)] - case
            when cardinality(window_purchase_dates) > 1
                then window_purchase_dates[cardinality(window_purchase_dates) - 1]
            when purchase_days > 1 then cast(:window_start as date)
        end as last_silence,
        cast(
            window_purchase_dates[cardinality(window_purchase_dates) - 1] - window_purchase_dates[1] as numeric
        ) / nullif(greatest(cardinality(window_purchase_dates) - 2, 0), 0) as former_interval
    from marketing.customer_totals
),

known_intervals as (
    select
        *,
        coalesce(mean_interval, cast(:usual_interval_days as numeric)) as purchase_interval,
        coalesce(former_interval, cast(:usual_interval_days as numeric)) as former_purchase_interval
    from purchase_intervals
),

stages as (
    -- Grain: customer with any event. The rule is told in include/features/build.py.
    select
        *,
        case
            when recency is null then 'prospect'
            when days_since_first_purchase < cast(:new_days as integer) then 'new'
            when
                frequency = 0
                or recency > greatest(
                    cast(:lapsed_days as integer), cast(:lapsed_intervals as numeric) * purchase_interval
                ) then 'lapsed'
            when
                recency > greatest(
                    cast(:at_risk_days as integer), cast(:at_risk_intervals as numeric) * purchase_interval
                ) then 'at_risk'
            when
                recency < cast(:new_days as integer)
                and last_silence > greatest(
                    cast(:lapsed_days as integer), cast(:lapsed_intervals as numeric) * former_purchase_interval
                ) then 'reactivated'
            else 'active'
        end as lifecycle_stage,
        price_points / (1000.0 * nullif(priced_days, 0)) as price_level
    from known_intervals
),

segments as (
    -- Grain: customer with any event. Stages, with those who stay told apart by how often they buy.
    select
        *,
        case
            when lifecycle_stage = 'prospect' then 'no_purchase'
            when lifecycle_stage in ('new', 'lapsed', 'at_risk') then lifecycle_stage
            when
                purchase_interval <= cast(:loyal_interval_days as integer)
                and frequency >= cast(:loyal_purchase_days as integer) then 'loyal'
            else 'regular'
        end as segment
    from stages
),

bargains as (
    select cast(sum(bargain_days) as double precision) / nullif(sum(comparable_days), 0) as share
    from purchase_intervals
)

insert into marketing.customer_features (
    business_date, customer_id, recency, frequency, monetary_value, first_purchase_at, last_purchase_at,
    preferred_categories, price_band, active_hours, segment, favourite_brands, devices, channels, search_terms,
    category_shares, brand_shares, device_shares, channel_shares, weekday_hours, weekend_hours, mean_interval_days,
    median_interval_days, lifecycle_stage, churn_probability, expected_orders, expected_value,
    discount_sensitivity
)
select
    cast(:business_date as date),
    numbered.customer_id,
    segments.recency,
    coalesce(segments.frequency, 0),
    coalesce(segments.window_amount, 0),
    segments.first_purchase_at,
    segments.last_purchase_at,
    coalesce(shares.preferred_categories, '{}'),
    case
        when segments.price_level < cast(:low_price_below as numeric) then 'low'
        when segments.price_level > cast(:high_price_above as numeric) then 'high'
        when segments.price_level is not null then 'middle'
    end,
    coalesce(shares.active_hours, '{}'),
    coalesce(segments.segment, 'no_purchase'),
    coalesce(shares.favourite_brands, '{}'),
    coalesce(shares.devices, '{}'),
    coalesce(shares.channels, '{}'),
    coalesce(shares.search_terms, '{}'),
    coalesce(shares.category_shares, '{}'),
    coalesce(shares.brand_shares, '{}'),
    coalesce(shares.device_shares, '{}'),
    coalesce(shares.channel_shares, '{}'),
    coalesce(shares.weekday_hours, '{}'),
    coalesce(shares.weekend_hours, '{}'),
    segments.mean_interval,
    shares.median_interval_days,
    coalesce(segments.lifecycle_stage, 'prospect'),
    outlooks.churn_probability,
    outlooks.expected_orders,
    outlooks.expected_value,
    -- Drawn to the mean of all customers, the more so the fewer purchases tell anything.
    case
        when segments.comparable_days > 0
            then
                (segments.bargain_days + cast(:bargain_strength as double precision) * bargains.share)
                / (segments.comparable_days + cast(:bargain_strength as double precision))
    end
from marketing.feature_customers as numbered
cross join bargains
left join marketing.customers using (customer_id)
left join segments using (customer_no)
left join marketing.customer_shares as shares using (customer_no)
left join outlooks using (customer_no)
where customers.customer_id is not null or segments.customer_no is not null;

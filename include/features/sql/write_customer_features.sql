-- Grain: one row per customer: every row of customers, and every customer with an event before the end of the
-- business date. "Window": the last :profile_days business days, the business date included.
with customer_hours as (
    -- Grain: customer × business day × hour of the customer's clock with any event, all history.
    select
        customer_no,
        business_day,
        local_hour,
        in_window,
        min(decay) as decay,
        bool_or(is_purchase) as has_purchase,
        min(occurred_at) filter (where is_purchase) as first_purchase_at,
        max(occurred_at) filter (where is_purchase) as last_purchase_at,
        sum(amount) as amount
    from activity
    group by customer_no, business_day, local_hour, in_window
),

customer_days as (
    -- Grain: customer × business day with any event.
    select
        customer_no,
        business_day,
        in_window,
        bool_or(has_purchase) as has_purchase,
        min(first_purchase_at) as first_purchase_at,
        max(last_purchase_at) as last_purchase_at,
        sum(amount) as amount
    from customer_hours
    group by customer_no, business_day, in_window
),

purchase_profiles as (
    -- Grain: customer with any event.
    select
        customer_no,
        min(first_purchase_at) as first_purchase_at,
        max(last_purchase_at) as last_purchase_at,
        cast(:business_date as date) - min(business_day) filter (where has_purchase) as days_since_first_purchase,
        cast(:business_date as date) - max(business_day) filter (where has_purchase) as recency,
        count(*) filter (where has_purchase and in_window) as frequency,
        coalesce(sum(amount) filter (where in_window), 0) as monetary_value,
        max(business_day) filter (where has_purchase and in_window)
        - min(business_day) filter (where has_purchase and in_window) as window_span
    from customer_days
    group by customer_no
),

purchase_intervals as (
    -- Grain: customer with any event. Mean days between purchase days of the window; the usual interval with fewer than
    -- two of them.
    select
        *,
        coalesce(
            cast(window_span as numeric) / nullif(frequency - 1, 0), cast(:usual_interval_days as numeric)
        ) as purchase_interval
    from purchase_profiles
),

segments as (
    -- Grain: customer with any event. The rule is told at its thresholds, in include/features/build.py.
    select
        *,
        case
            when recency is null then 'no_purchase'
            when days_since_first_purchase < cast(:new_days as integer) then 'new'
            when
                frequency = 0
                or recency > greatest(
                    cast(:lapsed_days as integer), cast(:lapsed_intervals as integer) * purchase_interval
                ) then 'lapsed'
            when
                recency > greatest(
                    cast(:at_risk_days as integer), cast(:at_risk_intervals as integer) * purchase_interval
                ) then 'at_risk'
            when
                purchase_interval <= cast(:loyal_interval_days as integer)
                and frequency >= cast(:loyal_purchase_days as integer) then 'loyal'
            else 'regular'
        end as segment
    from purchase_intervals
),

hour_weights as (
    -- Grain: customer × hour with activity in the window. An hour of a day counts once, however much was done in it.
    select customer_no, local_hour, sum(decay) as weight
    from customer_hours
    where in_window
    group by customer_no, local_hour
),

hour_totals as (
    -- Grain: customer with activity in the window, unless all of it is so old that it weighs nothing.
    select customer_no, sum(weight) as weight
    from hour_weights
    group by customer_no
    having sum(weight) > 0
),

active_hours as (
    -- Grain: customer with activity in the window.
    select
        hour_totals.customer_no,
        array_agg(coalesce(hour_weights.weight, 0) / hour_totals.weight order by hours.hour) as active_hours
    from hour_totals
    cross join generate_series(0, 23) as hours (hour)
    left join hour_weights on hour_totals.customer_no = hour_weights.customer_no and hours.hour = hour_weights.local_hour
    group by hour_totals.customer_no
),

category_weights as (
    -- Grain: customer × category with a purchase in the window.
    select pairs.customer_no, feature_items.category, sum(pairs.window_purchase_decay) as weight
    from pairs
    inner join feature_items using (item_no)
    where pairs.window_purchase_days > 0 and feature_items.category is not null
    group by pairs.customer_no, feature_items.category
),

ranked_categories as (
    -- Grain: customer × category. Names are compared byte by byte, so the order is the same on every server.
    select
        customer_no,
        category,
        row_number() over (partition by customer_no order by weight desc, category collate "C") as place
    from category_weights
),

preferred_categories as (
    -- Grain: customer with a purchase in a known category in the window.
    select customer_no, array_agg(category order by place) as preferred_categories
    from ranked_categories
    where place <= cast(:favourite_categories as integer)
    group by customer_no
),

item_percentiles as (
    -- Grain: item with a known price. Of every 1000 purchase days in the category, those of cheaper items by median
    -- price, and half of those at its own price. Counted by purchases, the mean over all customers is the middle.
    -- Items without a category are one category.
    select
        feature_items.item_no,
        cast(round(
            1000 * (
                sum(item_features.purchase_days) over (
                    partition by item_features.category order by item_features.median_price
                )
                - sum(item_features.purchase_days) over (
                    partition by item_features.category, item_features.median_price
                ) / 2.0
            ) / sum(item_features.purchase_days) over (partition by item_features.category)
        ) as integer) as price_permille
    from marketing.item_features
    inner join feature_items using (item_id)
    where item_features.business_date = cast(:business_date as date) and item_features.median_price is not null
),

price_levels as (
    -- Grain: customer with a purchase of a priced item in the window; the mean over customer × item × purchase day.
    select
        pairs.customer_no,
        sum(item_percentiles.price_permille * pairs.window_purchase_days)
        / (1000.0 * sum(pairs.window_purchase_days)) as level
    from pairs
    inner join item_percentiles using (item_no)
    where pairs.window_purchase_days > 0
    group by pairs.customer_no
)

insert into marketing.customer_features (
    business_date, customer_id, recency, frequency, monetary_value, first_purchase_at, last_purchase_at,
    preferred_categories, price_band, active_hours, segment
)
select
    cast(:business_date as date),
    feature_customers.customer_id,
    segments.recency,
    coalesce(segments.frequency, 0),
    coalesce(segments.monetary_value, 0),
    segments.first_purchase_at,
    segments.last_purchase_at,
    coalesce(preferred_categories.preferred_categories, '{}'),
    case
        when price_levels.level < cast(:low_price_below as numeric) then 'low'
        when price_levels.level > cast(:high_price_above as numeric) then 'high'
        when price_levels.level is not null then 'middle'
    end,
    coalesce(active_hours.active_hours, '{}'),
    coalesce(segments.segment, 'no_purchase')
from feature_customers
left join segments using (customer_no)
left join preferred_categories using (customer_no)
left join price_levels using (customer_no)
left join active_hours using (customer_no)
order by customer_no;

-- Grain: touched customer with an event. Shares are of decayed days in the window, so time alone does not change them.
with hours as (
    select customer_hours.*
    from marketing.customer_hours
    inner join touched_customers using (customer_no)
),

hour_totals as (
    -- Decimals add up to the same in any order; doubles are many times as fast to divide. Null, not 0: all of it may be
    -- so old that it weighs nothing.
    select
        customer_no,
        cast(nullif(sum(weight), 0) as double precision) as weight,
        cast(nullif(sum(weight) filter (where not is_weekend), 0) as double precision) as weekday_weight,
        cast(nullif(sum(weight) filter (where is_weekend), 0) as double precision) as weekend_weight
    from hours
    group by customer_no
),

hour_weights as (
    select
        customer_no,
        local_hour,
        cast(sum(weight) as double precision) as weight,
        cast(sum(weight) filter (where not is_weekend) as double precision) as weekday_weight,
        cast(sum(weight) filter (where is_weekend) as double precision) as weekend_weight
    from hours
    group by customer_no, local_hour
),

clocks as (
    select
        hour_totals.customer_no,
        case when min(hour_totals.weight) is not null then array_agg(
            coalesce(hour_weights.weight, 0) / hour_totals.weight order by clock.hour
        ) end as active_hours,
        case when min(hour_totals.weekday_weight) is not null then array_agg(
            coalesce(hour_weights.weekday_weight, 0) / hour_totals.weekday_weight order by clock.hour
        ) end as weekday_hours,
        case when min(hour_totals.weekend_weight) is not null then array_agg(
            coalesce(hour_weights.weekend_weight, 0) / hour_totals.weekend_weight order by clock.hour
        ) end as weekend_hours
    from hour_totals
    cross join generate_series(0, 23) as clock (hour)
    left join hour_weights on hour_totals.customer_no = hour_weights.customer_no and clock.hour = hour_weights.local_hour
    group by hour_totals.customer_no
),

ranked_tastes as (
    -- Names are compared byte by byte, so the order is the same on every server.
    select
        tastes.customer_no,
        tastes.kind,
        tastes.value,
        coalesce(
            cast(tastes.weight as double precision)
            / nullif(cast(
                sum(tastes.weight) over (partition by tastes.customer_no, tastes.kind) as double precision
            ), 0),
            0
        ) as share,
        row_number() over (
            partition by tastes.customer_no, tastes.kind order by tastes.weight desc, tastes.value collate "C"
        ) as place
    from marketing.customer_tastes as tastes
    inner join touched_customers using (customer_no)
),

tastes as (
    select
        customer_no,
        array_agg(value order by place) filter (where kind = 'category') as preferred_categories,
        array_agg(share order by place) filter (where kind = 'category') as category_shares,
        array_agg(value order by place) filter (where kind = 'brand') as favourite_brands,
        array_agg(share order by place) filter (where kind = 'brand') as brand_shares,
        array_agg(value order by place) filter (where kind = 'device') as devices,
        array_agg(share order by place) filter (where kind = 'device') as device_shares,
        array_agg(value order by place) filter (where kind = 'channel') as channels,
        array_agg(share order by place) filter (where kind = 'channel') as channel_shares,
        array_agg(value order by place) filter (where kind = 'search') as search_terms
    from ranked_tastes
    where place <= cast(:favourite_categories as integer)
    group by customer_no
),

intervals as (
    select
        dates.customer_no,
        percentile_cont(0.5) within group (order by dates.day - dates.former) as median_interval_days
    from (
        select
            totals.customer_no,
            days.day,
            lag(days.day) over (partition by totals.customer_no order by days.day) as former
        from marketing.customer_totals as totals
        inner join touched_customers using (customer_no)
        cross join unnest(totals.window_purchase_dates) as days (day)
    ) as dates
    where dates.former is not null
    group by dates.customer_no
)

insert into marketing.customer_shares (
    customer_no, active_hours, weekday_hours, weekend_hours, preferred_categories, category_shares, favourite_brands,
    brand_shares, devices, device_shares, channels, channel_shares, search_terms, median_interval_days
)
select
    totals.customer_no,
    coalesce(clocks.active_hours, '{}'),
    coalesce(clocks.weekday_hours, '{}'),
    coalesce(clocks.weekend_hours, '{}'),
    coalesce(tastes.preferred_categories, '{}'),
    coalesce(tastes.category_shares, '{}'),
    coalesce(tastes.favourite_brands, '{}'),
    coalesce(tastes.brand_shares, '{}'),
    coalesce(tastes.devices, '{}'),
    coalesce(tastes.device_shares, '{}'),
    coalesce(tastes.channels, '{}'),
    coalesce(tastes.channel_shares, '{}'),
    coalesce(tastes.search_terms, '{}'),
    intervals.median_interval_days
from marketing.customer_totals as totals
inner join touched_customers using (customer_no)
left join clocks using (customer_no)
left join tastes using (customer_no)
left join intervals using (customer_no);

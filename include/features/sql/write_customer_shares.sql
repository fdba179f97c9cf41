-- Grain: touched customer with an event. Shares are of decayed days in the window, so time alone does not change them.
with present_totals as materialized (
    select customer_no, window_purchase_dates
    from marketing.customer_totals
    where customer_no in (select customer_no from touched_customers)
),

clock_hours as (
    -- Grain: customer × hour of all 24. Doubles are many times as fast to add and divide as decimals; added hour by hour
    -- in the order of the clock, they make the same sums each time.
    select
        customer_no,
        hour,
        sum(weekday) as weekday,
        sum(weekend) as weekend,
        sum(sum(weekday)) over whole_clock as all_weekday,
        sum(sum(weekend)) over whole_clock as all_weekend
    from (
        select
            customer_no,
            local_hour as hour,
            case when is_weekend then 0 else cast(weight as double precision) end as weekday,
            case when is_weekend then cast(weight as double precision) else 0 end as weekend
        from marketing.customer_hours
        where customer_no in (select customer_no from touched_customers)
        union all
        select touched_customers.customer_no, clock.hour, 0, 0
        from touched_customers
        cross join generate_series(0, 23) as clock (hour)
    ) as hours
    group by customer_no, hour
    window whole_clock as (
        partition by customer_no order by hour rows between unbounded preceding and unbounded following
    )
),

clocks as (
    -- Null where nothing is in the window, or all of it is so old that it weighs nothing.
    select
        customer_no,
        case when min(all_weekday + all_weekend) > 0 then array_agg(
            (weekday + weekend) / nullif(all_weekday + all_weekend, 0) order by hour
        ) end as active_hours,
        case when min(all_weekday) > 0 then array_agg(weekday / nullif(all_weekday, 0) order by hour) end
            as weekday_hours,
        case when min(all_weekend) > 0 then array_agg(weekend / nullif(all_weekend, 0) order by hour) end
            as weekend_hours
    from clock_hours
    group by customer_no
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
    where tastes.customer_no in (select customer_no from touched_customers)
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
        from present_totals as totals
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
from present_totals as totals
left join clocks using (customer_no)
left join tastes using (customer_no)
left join intervals using (customer_no);

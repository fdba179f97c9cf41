-- Grain: customer with a change of activity.
with days as (
    -- Grain: customer × business day × sign.
    select
        customer_no, business_day, sign, window_sign,
        count(*) as hours,
        min(first_purchase_at) as first_purchase_at,
        max(last_purchase_at) as last_purchase_at,
        coalesce(sum(amount), 0) as amount
    from activity_changes
    group by customer_no, business_day, sign, window_sign
),

changes as (
    select
        customer_no,
        sum(sign * hours) as event_hours,
        coalesce(sum(sign) filter (where first_purchase_at is not null), 0) as purchase_days,
        min(first_purchase_at) filter (where sign = 1) as first_purchase_at,
        max(last_purchase_at) filter (where sign = 1) as last_purchase_at,
        sum(sign * amount) as amount,
        sum(window_sign * amount) as window_amount,
        coalesce(
            array_agg(business_day order by business_day)
            filter (where sign = 1 and window_sign = 1 and first_purchase_at is not null),
            '{}'
        ) as dates
    from days
    group by customer_no
)

insert into marketing.customer_totals as totals (
    customer_no, event_hours, purchase_days, first_purchase_at, last_purchase_at, amount, window_amount,
    window_purchase_dates, price_points, priced_days
)
select
    customer_no, event_hours, purchase_days, first_purchase_at, last_purchase_at, amount, window_amount, dates, 0, 0
from changes
on conflict (customer_no) do update set
    event_hours = totals.event_hours + excluded.event_hours,
    purchase_days = totals.purchase_days + excluded.purchase_days,
    first_purchase_at = least(totals.first_purchase_at, excluded.first_purchase_at),
    last_purchase_at = greatest(totals.last_purchase_at, excluded.last_purchase_at),
    amount = totals.amount + excluded.amount,
    window_amount = totals.window_amount + excluded.window_amount,
    window_purchase_dates = array(
        select day
        from (
            select unnest(totals.window_purchase_dates) as day
            except
            select business_day from read_days
            union
            select unnest(excluded.window_purchase_dates)
        ) as dates
        where day > cast(:window_start as date)
        order by day
    );

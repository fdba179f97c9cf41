-- Grain: customer with a change of activity.
with changes as (
    -- A row of activity is an hour of a day.
    select
        customer_no,
        sum(sign) as event_hours,
        count(distinct business_day) filter (where sign = 1 and first_purchase_at is not null)
        - count(distinct business_day) filter (where sign = -1 and first_purchase_at is not null) as purchase_days,
        min(first_purchase_at) filter (where sign = 1) as first_purchase_at,
        max(last_purchase_at) filter (where sign = 1) as last_purchase_at,
        coalesce(sum(case sign when 1 then amount when -1 then -amount end), 0) as amount,
        coalesce(sum(case window_sign when 1 then amount when -1 then -amount end), 0) as window_amount,
        coalesce(
            array_agg(distinct business_day order by business_day)
            filter (where sign = 1 and window_sign = 1 and first_purchase_at is not null),
            '{}'
        ) as dates
    from activity_changes
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

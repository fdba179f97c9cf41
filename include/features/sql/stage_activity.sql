-- Grain: one row per event before the end of the business date. All features are computed from these rows, so an event
-- that lands while the build runs counts either in all of them or in none.
-- "offset 0" keeps a step apart, so that what it computes is computed once per row and not at each use.
with dated_events as (
    select
        event_type,
        customer_id,
        item_id,
        occurred_at,
        unit_price,
        occurred_at at time zone cast(:business_time_zone as text) as business_time,
        case
            when quantity = 1 or quantity is null then unit_price  -- most lines, and the cast below is slow
            else cast(quantity as numeric) * unit_price
        end as amount
    from marketing.events
    where occurred_at < cast(:end_of_day as timestamptz)
    offset 0
),

event_types as (
    select event_type, event_weight, type_no
    from
        unnest(cast(:event_types as text[]), cast(:event_weights as double precision[]))
        with ordinality as types (event_type, event_weight, type_no)
),

weighted_events as (
    select
        dated_events.*,
        event_types.type_no,
        event_types.event_weight,
        cast(dated_events.business_time as date) as business_day,
        -- Beyond 2^-1000 the power would leave the range of a double, which is an error.
        power(2, greatest(
            (cast(dated_events.business_time as date) - cast(:business_date as date))
            / cast(:half_life_days as double precision),
            -1000
        )) as decay
    from dated_events
    inner join event_types using (event_type)
    offset 0
)

insert into activity (
    customer_no, item_no, type_no, business_day, occurred_at, weight, decay, local_hour, is_purchase, in_window,
    amount, unit_price
)
select
    feature_customers.customer_no,
    feature_items.item_no,
    weighted_events.type_no,
    weighted_events.business_day,
    weighted_events.occurred_at,
    -- In steps of 2^-40, about 10^-12: sums up to 8192 are then exact, so they do not depend on the order of their
    -- rows, a rerun gives the same bits, and what was bought and returned comes to nothing. An event older than 40
    -- half-lives is nothing, too.
    round(weighted_events.event_weight * weighted_events.decay * power(2, 40)) / power(2, 40),
    round(weighted_events.decay * power(2, 40)) / power(2, 40),
    date_part('hour', case
        when feature_customers.time_zone = cast(:business_time_zone as text) then weighted_events.business_time
        else weighted_events.occurred_at at time zone feature_customers.time_zone
    end),
    weighted_events.event_type = 'purchase',
    weighted_events.business_day > cast(:business_date as date) - cast(:profile_days as integer),
    case weighted_events.event_type
        when 'purchase' then weighted_events.amount
        -- Some shops write the quantity of a return with a minus sign, some without: either way it takes money off.
        when 'return' then -abs(weighted_events.amount)
    end,
    weighted_events.unit_price
from weighted_events
inner join feature_customers using (customer_id)
left join feature_items using (item_id)
-- Customers and items were numbered a moment ago; what landed since waits for the next build.
where weighted_events.item_id is null or feature_items.item_no is not null;

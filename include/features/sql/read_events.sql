-- Grain: one row per counted event of a range of instants. Of a text that tastes are counted by, the first characters.
insert into read_events (
    event_type, customer_id, item_id, occurred_at, business_day, amount, unit_price, search, device, channel
)
select
    event_type,
    customer_id,
    item_id,
    occurred_at,
    cast(occurred_at at time zone cast(:business_time_zone as text) as date),
    case
        when event_type not in ('purchase', 'return') then null
        when quantity = 1 or quantity is null then unit_price  -- most lines, and the cast below is slow
        else cast(quantity as numeric) * unit_price
    end,
    unit_price,
    case when event_type = 'search' then nullif(left(lower(btrim(query)), cast(:longest_name as integer)), '') end,
    left(properties ->> 'device', cast(:longest_name as integer)),
    left(properties ->> 'channel', cast(:longest_name as integer))
from marketing.counted_events
where occurred_at >= cast(:range_from as timestamptz) and occurred_at < cast(:range_until as timestamptz);

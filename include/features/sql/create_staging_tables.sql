-- What the statements of one build hand each other; gone with the transaction.
-- Customers and items are numbered in the order of their ids: numbers sort and hash several times faster than texts.

-- Grain: one row per customer of the build.
create temporary table feature_customers (
    customer_no integer not null,
    customer_id text not null,
    time_zone text not null
) on commit drop;

-- Grain: one row per item that an event names.
create temporary table feature_items (
    item_no integer not null,
    item_id text not null,
    category text
) on commit drop;

-- Grain: one row per event.
create temporary table activity (
    customer_no integer not null,
    item_no integer,
    type_no integer not null,
    business_day date not null,
    occurred_at timestamptz not null,
    weight double precision not null,
    decay double precision not null,
    local_hour smallint not null,
    is_purchase boolean not null,
    in_window boolean not null,
    amount numeric,
    unit_price numeric
) on commit drop;

-- Grain: one row per customer and item.
create temporary table pairs (
    customer_no integer not null,
    item_no integer not null,
    weight double precision not null,
    purchase_decay double precision not null,
    window_purchase_decay double precision not null,
    last_occurred_at timestamptz not null,
    last_purchase_at timestamptz,
    purchase_days integer not null,
    window_purchase_days integer not null
) on commit drop;

-- What the statements of one build hand each other; gone with the transaction.

-- Grain: one row per business day that is aggregated anew from its events.
create temporary table read_days (business_day date primary key) on commit drop;

-- Grain: one row per event that is left out.
create temporary table present_exclusions (event_id text collate "C" primary key, utc_day date not null) on commit drop;

create temporary table moved_customers (customer_id text primary key) on commit drop;

-- Grain: one row per counted event of these days.
create temporary table read_events (
    event_type text not null,
    customer_id text not null,
    item_id text,
    occurred_at timestamptz not null,
    business_day date not null,
    amount numeric,
    unit_price numeric,
    search text,
    device text,
    channel text
) on commit drop;

-- Grain: the same; item_no is null where the event names no item, unit_price is a purchase's.
create temporary table numbered_events (
    business_day date not null,
    customer_no integer not null,
    item_no integer,
    type_no smallint not null,
    local_hour smallint not null,
    is_weekend boolean not null,
    occurred_at timestamptz not null,
    amount numeric,
    unit_price numeric(14, 4)
) on commit drop;

-- Grain: one row per row of daily_interactions that comes into the totals (sign 1), leaves them (-1), or only leaves the
-- profile window (0); window_sign says the same of the profile window. Likewise in the next three.
create temporary table interaction_changes (
    business_day date not null,
    customer_no integer not null,
    item_no integer not null,
    type_no smallint not null,
    last_occurred_at timestamptz not null,
    unit_price numeric(14, 4),
    sign smallint not null,
    window_sign smallint not null
) on commit drop;

create temporary table activity_changes (
    business_day date not null,
    customer_no integer not null,
    local_hour smallint not null,
    is_weekend boolean not null,
    first_purchase_at timestamptz,
    last_purchase_at timestamptz,
    amount numeric,
    sign smallint not null,
    window_sign smallint not null
) on commit drop;

create temporary table habit_changes (
    business_day date not null,
    customer_no integer not null,
    kind text not null,
    value text not null,
    window_sign smallint not null
) on commit drop;

create temporary table price_changes (
    item_no integer not null,
    unit_price numeric(14, 4) not null,
    lines integer not null
) on commit drop;

-- Grain: one row per business day of the changes and event type; weight is the type's, decay a purchase's.
create temporary table day_weights (
    business_day date not null,
    type_no smallint not null,
    weight numeric not null,
    decay numeric not null
) on commit drop;

-- Grain: one row per customer and item with a change.
create temporary table pair_changes (
    customer_no integer not null,
    item_no integer not null,
    weight numeric not null,
    decay numeric not null,
    window_decay numeric not null,
    event_days integer not null,
    purchase_days integer not null,
    window_purchase_days integer not null,
    former_purchase_days integer not null,
    added_at timestamptz,
    removed_at timestamptz,
    added_purchase_at timestamptz,
    removed_purchase_at timestamptz
) on commit drop;

-- Grain: one row per customer whose shares are computed anew.
create temporary table touched_customers (customer_no integer primary key) on commit drop;

-- Grain: one row per item whose place of price moved; null where it had none, or has none now.
create temporary table moved_permilles (item_no integer primary key, former integer, present integer) on commit drop;

-- Grain: one row per item whose bargain price changes.
create temporary table bargain_moves (item_no integer primary key, former numeric, present numeric) on commit drop;

-- Grain: one row per item of the business date's former build.
create temporary table former_catalogue (
    item_id text primary key,
    list_price numeric,
    in_stock boolean
) on commit drop;

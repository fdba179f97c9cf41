-- Totals that begin anew count whole tables, so there is nothing to stage: views in the place of the staging tables.
drop table interaction_changes, activity_changes, habit_changes, price_changes;

-- Grain: row of daily_interactions.
create temporary view interaction_changes as
select
    *,
    cast(1 as smallint) as sign,
    cast(cast(business_day > cast(:window_start as date) as integer) as smallint) as window_sign
from marketing.daily_interactions
where business_day <= cast(:business_date as date);

-- Grain: row of daily_activity.
create temporary view activity_changes as
select
    *,
    cast(1 as smallint) as sign,
    cast(cast(business_day > cast(:window_start as date) as integer) as smallint) as window_sign
from marketing.daily_activity
where business_day <= cast(:business_date as date);

-- Grain: row of daily_habits of the profile window.
create temporary view habit_changes as
select *, cast(1 as smallint) as window_sign
from marketing.daily_habits
where business_day <= cast(:business_date as date) and business_day > cast(:window_start as date);

-- Grain: row of daily_prices.
create temporary view price_changes as
select item_no, unit_price, lines
from marketing.daily_prices
where business_day <= cast(:business_date as date);

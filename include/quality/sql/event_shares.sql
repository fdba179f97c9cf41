-- One row per fact: how many of the judged events are not as they should be, and of how many. Unknown customers and items
-- are counted among the business date's events, and apart from them among the earlier ones of the worst folder: so many
-- good events do not hide the bad day among them, and a few late ones among a day's events are no alarm. What lies before
-- the gate's first night is one folder. Of folders as bad as each other the largest counts, whatever their order.
with judged as (
    select
        greatest(landing_files.business_date, cast(:first_night as date) - 1) as folder,
        judged_events.*
    from judged_events
    left join marketing.landing_files on landing_files.file_id = judged_events.file_id
),

failing as (
    select
        failures.rule,
        greatest(landing_files.business_date, cast(:first_night as date) - 1) as folder,
        events.occurred_at >= cast(:day_start as timestamptz) as is_of_date,
        count(*) as events,
        count(events.quantity) as with_quantity
    from marketing.quality_failures as failures
    inner join marketing.events on events.event_id = failures.row_key
    left join marketing.landing_files on landing_files.file_id = events.file_id
    where failures.business_date = cast(:business_date as date)
        and failures.table_name = 'events'
        and events.occurred_at < cast(:day_end as timestamptz)
    group by 1, 2, 3
),

folders as (
    select
        judged.folder,
        sum(judged.events) as events,
        sum(judged.with_item) as with_item,
        (
            select coalesce(sum(failing.events), 0)
            from failing
            where failing.folder is not distinct from judged.folder
                and failing.rule = 'unknown_customer' and not failing.is_of_date
        ) as of_nobody,
        (
            select coalesce(sum(failing.events), 0)
            from failing
            where failing.folder is not distinct from judged.folder
                and failing.rule = 'unknown_item' and not failing.is_of_date
        ) as of_no_item
    from judged
    group by judged.folder
),

numbers as (
    select
        (select sum(events) from failing where rule = 'unknown_customer' and is_of_date) as of_nobody,
        (select sum(events) from failing where rule = 'unknown_item' and is_of_date) as of_no_item,
        (select sum(with_quantity) from failing where rule = 'bad_quantity') as bad_quantity,
        (select sum(events) from failing where rule = 'bad_price') as bad_price,
        (select sum(events) from failing where rule = 'missing_item') as without_item,
        (select sum(events) from failing where rule = 'missing_price') as without_price,
        sum(events) as events,
        sum(events) filter (where event_type <> all(cast(:event_types as text[]))) as of_unknown_type,
        sum(events) filter (where is_of_date) as of_date,
        sum(with_item) filter (where is_of_date) as of_date_with_item,
        sum(with_price) as with_price,
        sum(events) filter (where event_type = 'purchase') as purchases,
        sum(with_quantity) filter (where event_type = 'purchase') as with_quantity
    from judged
)

select
    'events' as table_name,
    facts.name,
    coalesce(facts.unexpected, 0) as unexpected,
    coalesce(facts.rows, 0) as rows
from numbers
cross join lateral (
    values
    ('event_type', numbers.of_unknown_type, numbers.events),
    ('customer_known', numbers.of_nobody, numbers.of_date),
    ('item_known', numbers.of_no_item, numbers.of_date_with_item),
    ('purchase_quantity', numbers.bad_quantity, numbers.with_quantity),
    ('unit_price', numbers.bad_price, numbers.with_price),
    ('purchase_names_item', numbers.without_item, numbers.purchases),
    ('purchase_has_price', numbers.without_price, numbers.purchases)
) as facts (name, unexpected, rows)
union all
(
    select 'events', 'unknown_customer_share', of_nobody, events
    from folders
    order by of_nobody / nullif(events, 0) desc nulls last, events desc
    limit 1
)
union all
(
    select 'events', 'unknown_item_share', of_no_item, with_item
    from folders
    order by of_no_item / nullif(with_item, 0) desc nulls last, with_item desc
    limit 1
)

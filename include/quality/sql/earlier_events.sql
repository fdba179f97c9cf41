-- One row: the largest share of a folder's events to be judged (see events.sql) that occurred before the business date
-- and name an unknown customer, or item. By folder, so that many good events do not hide the bad day among them, and a
-- few late ones among a day's events are no alarm; what lies before the gate's first night is one history.
select
    coalesce(max(folders.unknown_customer_share), 0) as unknown_customer_share,
    coalesce(max(folders.unknown_item_share), 0) as unknown_item_share
from (
    select
        cast(count(*) filter (where judged.is_earlier and customers.customer_id is null) as double precision)
            / count(*) as unknown_customer_share,
        cast(
            count(*) filter (where judged.is_earlier and judged.item_id is not null and items.item_id is null)
            as double precision
        ) / nullif(count(judged.item_id), 0) as unknown_item_share
    from (
        select
            events.customer_id,
            events.item_id,
            events.file_id,
            events.occurred_at < cast(:day_start as timestamptz) as is_earlier
        from marketing.events
        where events.occurred_at < cast(:day_end as timestamptz)
            and (
                events.occurred_at >= cast(:unjudged_since as timestamptz)
                or events.file_id = any(cast(:unjudged_files as bigint[]))
            )
    ) as judged
    left join marketing.landing_files on landing_files.file_id = judged.file_id
    left join marketing.customers on customers.customer_id = judged.customer_id
    left join marketing.items on items.item_id = judged.item_id
    group by greatest(landing_files.business_date, cast(:first_night as date) - 1)
) as folders

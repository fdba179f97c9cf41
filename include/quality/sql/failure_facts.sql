-- One row: for each rule of rules.py how many of the business date's failing rows break it, and their largest share of a
-- folder's judged rows where they are many; history before the gate's first night is one folder. The rows of other tables
-- than events are one folder each.
select
    coalesce(max(failures.failing) filter (where failures.rule = 'events.duplicate'), 0) as events_duplicate,
    coalesce(max(failures.share) filter (where failures.rule = 'events.duplicate'), 0) as events_duplicate_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.ancient'), 0) as events_ancient,
    coalesce(max(failures.share) filter (where failures.rule = 'events.ancient'), 0) as events_ancient_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.far_future'), 0) as events_far_future,
    coalesce(max(failures.share) filter (where failures.rule = 'events.far_future'), 0) as events_far_future_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.price_outlier'), 0) as events_price_outlier,
    coalesce(max(failures.share) filter (where failures.rule = 'events.price_outlier'), 0) as events_price_outlier_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.quantity_outlier'), 0) as events_quantity_outlier,
    coalesce(max(failures.share) filter (where failures.rule = 'events.quantity_outlier'), 0) as events_quantity_outlier_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.bad_price'), 0) as events_bad_price,
    coalesce(max(failures.share) filter (where failures.rule = 'events.bad_price'), 0) as events_bad_price_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.bad_quantity'), 0) as events_bad_quantity,
    coalesce(max(failures.share) filter (where failures.rule = 'events.bad_quantity'), 0) as events_bad_quantity_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.return_without_purchase'), 0) as events_return_without_purchase,
    coalesce(max(failures.share) filter (where failures.rule = 'events.return_without_purchase'), 0) as events_return_without_purchase_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'events.before_customer'), 0) as events_before_customer,
    coalesce(max(failures.share) filter (where failures.rule = 'events.before_customer'), 0) as events_before_customer_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'customers.bad_email'), 0) as customers_bad_email,
    coalesce(max(failures.share) filter (where failures.rule = 'customers.bad_email'), 0) as customers_bad_email_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'customers.unknown_zone'), 0) as customers_unknown_zone,
    coalesce(max(failures.share) filter (where failures.rule = 'customers.unknown_zone'), 0) as customers_unknown_zone_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'customers.created_later'), 0) as customers_created_later,
    coalesce(max(failures.share) filter (where failures.rule = 'customers.created_later'), 0) as customers_created_later_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'items.missing_title'), 0) as items_missing_title,
    coalesce(max(failures.share) filter (where failures.rule = 'items.missing_title'), 0) as items_missing_title_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'items.bad_price'), 0) as items_bad_price,
    coalesce(max(failures.share) filter (where failures.rule = 'items.bad_price'), 0) as items_bad_price_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'items.foreign_currency'), 0) as items_foreign_currency,
    coalesce(max(failures.share) filter (where failures.rule = 'items.foreign_currency'), 0) as items_foreign_currency_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'consents.unknown_customer'), 0) as consents_unknown_customer,
    coalesce(max(failures.share) filter (where failures.rule = 'consents.unknown_customer'), 0) as consents_unknown_customer_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'consents.in_future'), 0) as consents_in_future,
    coalesce(max(failures.share) filter (where failures.rule = 'consents.in_future'), 0) as consents_in_future_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'campaigns.unknown_segment'), 0) as campaigns_unknown_segment,
    coalesce(max(failures.share) filter (where failures.rule = 'campaigns.unknown_segment'), 0) as campaigns_unknown_segment_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'campaigns.no_items'), 0) as campaigns_no_items,
    coalesce(max(failures.share) filter (where failures.rule = 'campaigns.no_items'), 0) as campaigns_no_items_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'message_history.unknown_customer'), 0) as message_history_unknown_customer,
    coalesce(max(failures.share) filter (where failures.rule = 'message_history.unknown_customer'), 0) as message_history_unknown_customer_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'engagements.unknown_message'), 0) as engagements_unknown_message,
    coalesce(max(failures.share) filter (where failures.rule = 'engagements.unknown_message'), 0) as engagements_unknown_message_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'engagements.unknown_customer'), 0) as engagements_unknown_customer,
    coalesce(max(failures.share) filter (where failures.rule = 'engagements.unknown_customer'), 0) as engagements_unknown_customer_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'engagements.in_future'), 0) as engagements_in_future,
    coalesce(max(failures.share) filter (where failures.rule = 'engagements.in_future'), 0) as engagements_in_future_share,
    coalesce(max(failures.failing) filter (where failures.rule = 'engagements.before_message'), 0) as engagements_before_message,
    coalesce(max(failures.share) filter (where failures.rule = 'engagements.before_message'), 0) as engagements_before_message_share
from (
    select
        folders.rule,
        sum(folders.failing) as failing,
        max(
            case
                when folders.failing >= cast(:fewest_refused_that_stop as bigint)
                    then cast(folders.failing as double precision) / nullif(judged.rows, 0)
            end
        ) as share
    from (
        select
            quality_failures.table_name,
            quality_failures.table_name || '.' || quality_failures.rule as rule,
            case
                when quality_failures.table_name = 'events'
                    then greatest(landing_files.business_date, cast(:first_night as date) - 1)
            end as folder,
            count(*) as failing
        from marketing.quality_failures
        left join marketing.landing_files on landing_files.file_id = quality_failures.file_id
        where quality_failures.business_date = cast(:business_date as date)
        group by 1, 2, 3
    ) as folders
    left join (
        select
            'events' as table_name,
            greatest(landing_files.business_date, cast(:first_night as date) - 1) as folder,
            sum(files.rows) as rows
        from (
            select
                events.file_id,
                count(*) as rows
            from marketing.events
            where (
                    events.occurred_at < cast(:day_end as timestamptz)
                    and events.occurred_at >= cast(:unjudged_since as timestamptz)
                )
                or events.file_id = any(cast(:unjudged_files as bigint[]))
            group by events.file_id
        ) as files
        left join marketing.landing_files on landing_files.file_id = files.file_id
        group by 2
        union all
        select 'customers', null, (select count(*) from marketing.customers)
        union all
        select 'items', null, (select count(*) from marketing.items)
    ) as judged on judged.table_name = folders.table_name and judged.folder is not distinct from folders.folder
    group by folders.rule
) as failures

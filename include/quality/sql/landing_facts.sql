-- One row: for each landing table the largest share of quarantined rows in any folder, among the files to be judged. By
-- folder, so that a large history does not hide a bad day. Where it may stop the run, apart from folders (_few) with
-- fewer than :fewest_refused_that_stop such rows.
select
    cast(:newest_file as bigint) as newest_file,
    coalesce(max(shares.share) filter (where shares.table_name = 'customers' and shares.is_many), 0) as customers,
    coalesce(max(shares.share) filter (where shares.table_name = 'customers' and not shares.is_many), 0) as customers_few,
    coalesce(max(shares.share) filter (where shares.table_name = 'items' and shares.is_many), 0) as items,
    coalesce(max(shares.share) filter (where shares.table_name = 'items' and not shares.is_many), 0) as items_few,
    coalesce(max(shares.share) filter (where shares.table_name = 'events' and shares.is_many), 0) as events,
    coalesce(max(shares.share) filter (where shares.table_name = 'events' and not shares.is_many), 0) as events_few,
    coalesce(max(shares.share) filter (where shares.table_name = 'consents'), 0) as consents,
    coalesce(max(shares.share) filter (where shares.table_name = 'campaigns'), 0) as campaigns,
    coalesce(max(shares.share) filter (where shares.table_name = 'message_history'), 0) as message_history,
    coalesce(max(shares.share) filter (where shares.table_name = 'engagements'), 0) as engagements
from (
    select
        landing_files.table_name,
        cast(sum(landing_files.rows_quarantined) as double precision)
            / nullif(sum(landing_files.rows_accepted + landing_files.rows_quarantined), 0) as share,
        sum(landing_files.rows_quarantined) >= cast(:fewest_refused_that_stop as bigint) as is_many
    from marketing.landing_files
    where landing_files.file_id = any(cast(:unjudged_files as bigint[]))
    group by landing_files.table_name, landing_files.business_date
) as shares

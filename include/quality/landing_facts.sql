-- One row: for each landing table the largest share of quarantined rows in any folder not yet judged, which are the
-- folders dated after the last checked business date, up to this one. Judged by folder, so that a large history does
-- not hide a bad day.
select
    coalesce(max(shares.share) filter (where shares.table_name = 'customers'), 0) as customers,
    coalesce(max(shares.share) filter (where shares.table_name = 'items'), 0) as items,
    coalesce(max(shares.share) filter (where shares.table_name = 'events'), 0) as events,
    coalesce(max(shares.share) filter (where shares.table_name = 'consents'), 0) as consents,
    coalesce(max(shares.share) filter (where shares.table_name = 'campaigns'), 0) as campaigns,
    coalesce(max(shares.share) filter (where shares.table_name = 'message_history'), 0) as message_history,
    coalesce(max(shares.share) filter (where shares.table_name = 'engagements'), 0) as engagements
from (
    select
        landing_files.table_name,
        cast(sum(landing_files.rows_quarantined) as double precision)
            / nullif(sum(landing_files.rows_accepted + landing_files.rows_quarantined), 0) as share
    from marketing.landing_files
    where landing_files.business_date <= cast(:business_date as date)
        and landing_files.business_date > coalesce(
            (
                select max(quality_results.business_date)
                from marketing.quality_results
                where quality_results.business_date < cast(:business_date as date)
            ),
            '-infinity'
        )
    group by landing_files.table_name, landing_files.business_date
) as shares

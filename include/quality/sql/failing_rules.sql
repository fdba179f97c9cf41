-- One row per rule that some row of the business date breaks: how many do, and of the folder where they are the largest
-- share of the judged rows, and many, how many do and of how many. The rows of other tables than events are one folder
-- each, and so is the history before the gate's first night. A folder that was judged before may still have rows that
-- repeat one that came late, under an earlier folder: they are a share of all that landed in it.
select distinct on (folders.table_name, folders.rule)
    folders.table_name,
    folders.rule,
    cast(sum(folders.failing) over (partition by folders.table_name, folders.rule) as bigint) as failing,
    case
        when folders.failing >= cast(:fewest_refused_that_stop as bigint)
            then cast(folders.failing as double precision) / nullif(coalesce(judged.rows, landed.rows), 0)
    end as share
from (
    select
        failures.table_name,
        failures.rule,
        case
            when failures.table_name = 'events'
                then greatest(landing_files.business_date, cast(:first_night as date) - 1)
        end as folder,
        count(*) as failing
    from marketing.quality_failures as failures
    left join marketing.landing_files on landing_files.file_id = failures.file_id
    where failures.business_date = cast(:business_date as date)
    group by 1, 2, 3
) as folders
left join (
    select
        'events' as table_name,
        greatest(landing_files.business_date, cast(:first_night as date) - 1) as folder,
        sum(judged_events.events) as rows
    from judged_events
    left join marketing.landing_files on landing_files.file_id = judged_events.file_id
    group by 2
    union all
    select 'customers', null, (select count(*) from marketing.customers)
    union all
    select 'items', null, (select count(*) from marketing.items)
) as judged on judged.table_name = folders.table_name and judged.folder is not distinct from folders.folder
left join (
    select
        'events' as table_name,
        greatest(landing_files.business_date, cast(:first_night as date) - 1) as folder,
        sum(landing_files.rows_accepted) as rows
    from marketing.landing_files
    where landing_files.table_name = 'events'
    group by 2
) as landed on landed.table_name = folders.table_name and landed.folder = folders.folder
order by folders.table_name, folders.rule, share desc nulls last

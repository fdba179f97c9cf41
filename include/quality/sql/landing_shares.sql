-- One row per landing table and whether many: of its folders with files to be judged the one with the largest share of
-- quarantined rows, the largest of equals, and these. By folder, so that a large history does not hide a bad day; folders
-- with fewer than :fewest_refused_that_stop such rows apart.
select distinct on (folders.table_name, is_many)
    folders.table_name,
    folders.refused >= cast(:fewest_refused_that_stop as bigint) as is_many,
    folders.refused as unexpected,
    folders.rows
from (
    select
        landing_files.table_name,
        sum(landing_files.rows_quarantined) as refused,
        sum(landing_files.rows_accepted + landing_files.rows_quarantined) as rows
    from marketing.landing_files
    where landing_files.file_id = any(cast(:unjudged_files as bigint[]))
    group by landing_files.table_name, landing_files.business_date
) as folders
order by folders.table_name, is_many, folders.refused / nullif(folders.rows, 0) desc nulls last, folders.rows desc

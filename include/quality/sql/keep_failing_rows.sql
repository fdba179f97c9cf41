-- The rows that one of the queries failing_*.sql found, kept for the business date.
insert into marketing.quality_failures (
    business_date, table_name, rule, column_name, row_key, file_id, row_number, reason, is_set_aside
)
select
    cast(:business_date as date),
    table_name,
    rule,
    column_name,
    row_key,
    file_id,
    row_number,
    reason,
    is_set_aside
from failing_rows

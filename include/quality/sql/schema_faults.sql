-- One row per column that is not as the product made it: missing, of another type, or free to be empty where it must not.
select
    expected.table_name,
    expected.column_name,
    case
        when attributes.attname is null then 'is missing'
        when format_type(attributes.atttypid, attributes.atttypmod) <> expected.type_name
            then 'is ' || format_type(attributes.atttypid, attributes.atttypmod) || ', not ' || expected.type_name
        else 'may be empty'
    end as fault
from unnest(
    cast(:tables as text[]), cast(:columns as text[]), cast(:types as text[]), cast(:required as boolean[])
) as expected (table_name, column_name, type_name, is_required)
left join pg_attribute as attributes
    on attributes.attrelid = to_regclass('marketing.' || quote_ident(expected.table_name))
    and attributes.attname = expected.column_name
    and attributes.attnum > 0
    and not attributes.attisdropped
where attributes.attname is null
    or format_type(attributes.atttypid, attributes.atttypmod) <> expected.type_name
    or (expected.is_required and not attributes.attnotnull)
order by 1, 2

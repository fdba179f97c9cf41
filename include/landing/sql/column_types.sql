-- Grain: column of a relation that rows can be read from; information_schema leaves out materialized views. A domain is as
-- the type beneath it.
select
    attributes.attname,
    case
        when types.typcategory = 'A' then 'ARRAY'
        else format_type(coalesce(nullif(types.typbasetype, 0), types.oid), null)
    end as type_name
from pg_class as relations
inner join pg_attribute as attributes on attributes.attrelid = relations.oid
inner join pg_type as types on types.oid = attributes.atttypid
where relations.oid = to_regclass(%s)
    and relations.relkind in ('r', 'p', 'v', 'm', 'f')
    and attributes.attnum > 0
    and not attributes.attisdropped

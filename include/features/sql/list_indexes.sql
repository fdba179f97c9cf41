-- Grain: primary key or index of the tables: the statement that drops it, and the one that makes it again.
select
    case
        when keys.conname is null then format('drop index %s', cast(indexes.indexrelid as regclass))
        else format('alter table %s drop constraint %I', cast(indexes.indrelid as regclass), keys.conname)
    end as drop_it,
    case
        when keys.conname is null then pg_get_indexdef(indexes.indexrelid)
        else format(
            'alter table %s add constraint %I %s',
            cast(indexes.indrelid as regclass), keys.conname, pg_get_constraintdef(keys.oid)
        )
    end as make_it
from pg_index as indexes
left join pg_constraint as keys on indexes.indexrelid = keys.conindid and keys.contype = 'p'
where indexes.indrelid = cast(:table_name as regclass)
order by keys.conname is null;

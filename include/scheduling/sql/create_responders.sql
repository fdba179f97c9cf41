-- One row per customer of the latest features up to the date, counted from 0 by id, byte by byte.
drop table if exists pg_temp.responders;

create temporary table responders on commit drop as
select
    cast(row_number() over (order by f.customer_id collate "C") - 1 as integer) as place,
    f.business_date,
    f.customer_id,
    f.segment,
    cast(f.active_hours as real[]) as active_hours,
    coalesce(z.name, :default_zone) as time_zone
from marketing.customer_features as f
left join marketing.customers as c on f.customer_id = c.customer_id
left join pg_timezone_names as z on c.time_zone = z.name
where
    f.business_date = (
        select max(latest.business_date) from marketing.customer_features as latest
        where latest.business_date <= :business_date
    );

analyze responders

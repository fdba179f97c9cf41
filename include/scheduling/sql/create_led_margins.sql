-- One row per customer of leading_items: the mean margin, as in create_list_margins, of the item that leads and of those
-- that follow it, the first of the published list of the purpose; of the item alone where there is no list.
drop table if exists pg_temp.message_margins;

create temporary table message_margins on commit drop as
with shown as (
    select place, item_id
    from pg_temp.leading_items

    union all

    select l.place, r.item_id
    from pg_temp.leading_items as l
    inner join pg_temp.people_of_night as p on l.place = p.place
    cross join lateral (
        select item_id
        from marketing.recommendations
        where
            business_date = :business_date
            and customer_id = p.customer_id
            and purpose = :purpose
            and rank <= :items
            and item_id <> l.item_id
        order by rank
        limit :items - 1
    ) as r
)

select
    s.place,
    cast(
        sum(
            cast(
                round(
                    cast(coalesce(i.price, f.median_price, 0) as double precision)
                    * coalesce(i.margin_rate, :default_margin_rate)
                    * 1000000
                ) as bigint
            )
        ) as double precision
    ) / count(*) as margin
from shown as s
left join marketing.items as i on s.item_id = i.item_id
left join marketing.item_features as f on s.item_id = f.item_id and f.business_date = :business_date
group by s.place

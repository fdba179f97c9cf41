-- One row per customer with a published list of the purpose: the mean margin of its first items, in millionths of money
-- (0 for an item without a price), which adds up the same in any order.
drop table if exists pg_temp.message_margins;

create temporary table message_margins on commit drop as
select
    p.place,
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
from marketing.recommendations as r
inner join pg_temp.people_of_night as p on r.customer_id = p.customer_id
left join marketing.items as i on r.item_id = i.item_id
left join marketing.item_features as f on r.item_id = f.item_id and r.business_date = f.business_date
where r.business_date = :business_date and r.purpose = :purpose and r.rank <= :items
group by p.place

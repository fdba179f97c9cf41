-- Grain: item whose place of price is another than before this build, or that has one no longer.
insert into moved_permilles (item_no, points, days)
select
    item_no,
    coalesce(present.price_permille, 0) - coalesce(former.price_permille, 0),
    cast(present.price_permille is not null as integer) - cast(former.price_permille is not null as integer)
from marketing.item_totals as present
full join former_permilles as former using (item_no)
where present.price_permille is distinct from former.price_permille;

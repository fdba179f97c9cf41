-- One row per customer × channel × weekend or not × local hour with matured sends, as the number of its cell.
select
    channel,
    cell,
    sends,
    squares,
    clicks
from pg_temp.matured_sends
order by channel, cell

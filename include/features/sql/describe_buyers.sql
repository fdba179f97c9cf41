-- One row: how many customers ever bought, how many on a second day, and how long ago the first of all was.
select
    count(*) as buyers,
    count(*) filter (where orders > 1) as returned,
    coalesce(max(days_since_first), 0) as history_days
from buyers;

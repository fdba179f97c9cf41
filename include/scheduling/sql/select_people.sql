-- One row per customer of the night, in order.
select
    customer_id,
    time_zone,
    email,
    app_push,
    expected_value
from pg_temp.people_of_night
order by place

-- One row per customer, with what its checks look at.
select
    customers.customer_id,
    customers.email,
    lower(btrim(customers.email)) as address,
    customers.email is not null or customers.push_token is not null as is_reachable,
    case
        when customers.time_zone is not null
            then exists (select from pg_timezone_names where pg_timezone_names.name = customers.time_zone)
    end as time_zone_known
from marketing.customers

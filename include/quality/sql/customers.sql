-- One row per customer, with what its checks look at.
select
    customers.customer_id,
    customers.email,
    email.address_hash as address,
    email.address is not null or push.address is not null as is_reachable,
    case
        when customers.time_zone is not null
            then exists (select from pg_timezone_names where pg_timezone_names.name = customers.time_zone)
    end as time_zone_known
from marketing.customers
left join marketing.addresses as email on email.customer_id = customers.customer_id and email.channel = 'email'
left join marketing.addresses as push on push.customer_id = customers.customer_id and push.channel = 'app_push'

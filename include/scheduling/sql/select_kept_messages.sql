-- One row per message taken up whose customer is still of the night, by campaign and customer.
select
    k.campaign_id,
    p.place,
    k.channel,
    k.at
from pg_temp.kept_messages as k
inner join pg_temp.people_of_night as p on k.customer_id = p.customer_id
order by k.campaign_id, p.place, k.channel

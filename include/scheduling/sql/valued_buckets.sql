-- One row per bucket of customers: how many rows logged_sends has of it.
select
    bucket,
    count(*) as sends
from valued_sends
where clicked is not null or (policy_version = :policy_version and decided >= :first_decided)
group by bucket
order by bucket

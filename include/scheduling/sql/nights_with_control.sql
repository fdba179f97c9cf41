-- One row per night of which sends of both kinds have matured: those that were chosen, and those of a random hour.
select decided
from valued_sends
where policy_version = :policy_version and decided >= :first_decided
group by decided
having bool_or(policy = 'chosen') and bool_or(policy = 'random_hour')
order by decided

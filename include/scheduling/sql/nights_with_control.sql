-- One row per night of which sends of both kinds have matured: those whose hour was chosen, and those drawn for the control.
select decided
from valued_sends
where policy_version = :policy_version and decided >= :first_decided
group by decided
having bool_or(policy = 'chosen') and bool_or(policy = 'random_hour')
order by decided

-- The policy whose decisions are valued: the one that made most of those of the latest night with a matured send.
select policy_version
from valued_sends
where policy_version is not null and decided >= :first_decided
group by policy_version, decided
order by decided desc, count(*) desc, policy_version
limit 1

-- One row per send to a customer of the buckets that is to be valued, or that was clicked: what a customer did before is
-- part of what was known. Only a send to be valued has the probabilities that its channel and hour were drawn by; one
-- that was delivered in a later hour than planned has no propensity, as one that a repair moved.
select
    s.bucket,
    s.customer_id,
    s.channel,
    s.hour,
    s.day_type,
    s.decided,
    s.clicked,
    s.generated,
    s.policy,
    coalesce(s.policy_version = :policy_version and s.decided >= :first_decided, false) as to_be_valued,
    case when not s.is_late then d.propensity end as propensity,
    d.slot_probabilities
from valued_sends as s
left join marketing.message_decisions as d
    on
        s.policy_version = :policy_version
        and s.decided >= :first_decided
        and d.business_date = s.business_date
        and d.campaign_id = s.campaign_id
        and d.customer_id = s.customer_id
where
    s.bucket between :first_bucket and :last_bucket
    and (s.clicked is not null or (s.policy_version = :policy_version and s.decided >= :first_decided))
order by s.customer_id collate "C", s.decided, s.channel, s.campaign_id collate "C"

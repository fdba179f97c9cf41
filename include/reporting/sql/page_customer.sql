-- One row per decision about one customer, latest first, with what became of its message.
with zones as materialized (
    select name from pg_timezone_names
)

select
    decisions.business_date,
    decisions.campaign_id,
    coalesce(campaigns.name, decisions.campaign_id) as campaign,
    decisions.arm,
    decisions.decision,
    decisions.reason,
    decisions.channel,
    decisions.send_at at time zone coalesce(zones.name, :default_zone) as send_at_local,
    decisions.explored,
    messages.state
from marketing.message_decisions as decisions
left join marketing.campaigns using (campaign_id)
left join marketing.customers using (customer_id)
left join zones on zones.name = customers.time_zone
left join marketing.messages
    on
        messages.customer_id = decisions.customer_id
        and messages.campaign_id = decisions.campaign_id
        and messages.business_date = decisions.business_date
where decisions.customer_id = :customer_id
order by decisions.business_date desc, campaign, decisions.campaign_id
limit :decisions

-- One row per local hour in which messages were planned to leave, over the days before the end of the date: counts, and the
-- sums an interval with the customer as unit needs. A message clicked twice counts once.
-- The hour is of the customer's own zone where the server knows it, else of the default.
with zones as materialized (
    select name from pg_timezone_names
),

sent as (
    select
        messages.message_id,
        messages.customer_id,
        extract(hour from messages.send_at at time zone coalesce(zones.name, :default_zone))::int as hour
    from marketing.messages
    left join marketing.customers using (customer_id)
    left join zones on zones.name = customers.time_zone
    where messages.state = 'sent' and messages.send_at >= :since and messages.send_at < :until
),

clicked as (
    select
        engagements.message_id,
        bool_or(lower(engagements.attributes ->> 'generated') = 'true') as generated
    from marketing.engagements
    where
        engagements.message_id in (select message_id from sent)
        and engagements.engagement_type = 'click'
        and not engagements.is_machine
        and engagements.occurred_at < :until
    group by engagements.message_id
),

customer_hours as (
    select
        sent.hour,
        sent.customer_id,
        count(*) as sends,
        count(clicked.message_id) as clicks,
        coalesce(bool_or(clicked.generated), false) as generated
    from sent
    left join clicked using (message_id)
    group by sent.hour, sent.customer_id
)

select
    hour,
    count(*) as customers,
    sum(sends)::float8 as sends,
    sum(sends * sends)::float8 as sends_squares,
    sum(clicks)::float8 as clicks,
    sum(clicks * clicks)::float8 as clicks_squares,
    sum(clicks * sends)::float8 as clicks_times_sends,
    bool_or(generated) as includes_generated
from customer_hours
group by hour
order by hour

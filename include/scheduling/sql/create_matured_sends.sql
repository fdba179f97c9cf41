-- One row per customer × channel × weekend or not × local hour with matured sends since :since: sends and human clicks,
-- decayed, and the sum of the squares of the sends' weights.
-- A send is matured when its 24 hours for a click lie before the end of the day; a click belongs to the latest send
-- that it can answer.
drop table if exists pg_temp.matured_sends;

create temporary table matured_sends on commit drop as
with sends as (
    select message_id, campaign_id, customer_id, channel, sent_at
    from marketing.messages
    where
        state = 'sent'
        and sent_at >= :since
        and sent_at < cast(:end_of_day as timestamptz) - interval '24 hours'
    union all
    select null, campaign_id, customer_id, channel, sent_at
    from marketing.message_history
    where
        arm = 'treated'
        and sent_at >= :since
        and sent_at < cast(:end_of_day as timestamptz) - interval '24 hours'
),

human_clicks as (
    select engagement_id, message_id, campaign_id, customer_id, occurred_at
    from marketing.engagements
    where
        engagement_type = 'click' and not is_machine and occurred_at >= :since and occurred_at < :end_of_day
),

answers as (
    select k.engagement_id, s.campaign_id, s.customer_id, s.channel, s.sent_at
    from human_clicks as k
    inner join sends as s on k.message_id = s.message_id
    where k.occurred_at >= s.sent_at and k.occurred_at < s.sent_at + interval '24 hours'
    union all
    select k.engagement_id, s.campaign_id, s.customer_id, s.channel, s.sent_at
    from human_clicks as k
    inner join sends as s on k.campaign_id = s.campaign_id and k.customer_id = s.customer_id
    where
        k.message_id is null
        and k.occurred_at >= s.sent_at
        and k.occurred_at < s.sent_at + interval '24 hours'
),

latest_answers as (
    select distinct on (engagement_id) engagement_id, campaign_id, customer_id, channel, sent_at
    from answers
    order by engagement_id, sent_at desc, channel
),

clicked as (
    select distinct campaign_id, customer_id, channel, sent_at
    from latest_answers
),

weighed as (
    select
        c.place,
        s.channel,
        s.sent_at,
        s.sent_at at time zone c.time_zone as local_time,
        k.sent_at is not null as is_clicked,
        power(
            cast(0.5 as double precision),
            cast(extract(epoch from cast(:end_of_day as timestamptz) - s.sent_at) as double precision)
            / 86400 / cast(:half_life_days as double precision)
        ) as weight
    from sends as s
    inner join pg_temp.responders as c on s.customer_id = c.customer_id
    left join clicked as k
        on
            s.campaign_id = k.campaign_id
            and s.customer_id = k.customer_id
            and s.channel = k.channel
            and s.sent_at = k.sent_at
    -- A former tool may have used letters or text messages.
    where s.channel = any(:channels)
),

placed as (
    select
        array_position(cast(:channels as text[]), channel) - 1 as channel,
        (place * 2 + cast(extract(isodow from local_time) > 5 as integer)) * 24
        + cast(extract(hour from local_time) as integer) as cell,
        sent_at,
        weight,
        is_clicked
    from weighed
)

select
    channel,
    cell,
    sum(weight order by sent_at) as sends,
    sum(weight * weight order by sent_at) as squares,
    coalesce(sum(weight order by sent_at) filter (where is_clicked), 0) as clicks
from placed
group by channel, cell

-- A made-up shop on the evening of :business_date: customers around the world, their consents, past messages and clicks,
-- recommendations of both purposes. Everything follows from the customer's number.
insert into marketing.items (item_id, title, category, price, margin_rate, file_id, row_number)
select
    'i' || n,
    'Item ' || n,
    'category ' || n % 100,
    4 + n % 37,
    0.2 + 0.01 * (n % 40),
    1,
    n
from generate_series(0, 1999) as n;

insert into marketing.customers (customer_id, email, push_token, time_zone, file_id, row_number)
select
    'c' || n,
    case when n % 20 <> 0 then 'c' || n || '@shop.example' end,
    case when n % 3 <> 0 then 'token-' || n end,
    (
        array[
            'Europe/Berlin', 'Europe/London', 'America/New_York', 'America/Los_Angeles', 'America/Sao_Paulo',
            'Asia/Tokyo', 'Asia/Kolkata', 'Australia/Sydney', 'Pacific/Auckland', 'Pacific/Honolulu', 'Asia/Dubai',
            'America/Chicago'
        ]
    )[1 + (n * 1709) % 12],
    1,
    n
from generate_series(0, :customers - 1) as n;

insert into marketing.customer_features (
    business_date, customer_id, frequency, monetary_value, preferred_categories, active_hours, segment, recency
)
select
    :business_date,
    'c' || n,
    n % 7,
    n % 500,
    array[]::text[],
    case
        when n % 5 < 3
            then (
                select
                    array_agg(
                        case
                            when h = (n * 31) % 24 then 0.5
                            when h in ((n * 17) % 24, (n * 13 + 5) % 24) then 0.25
                            else 0
                        end / case
                            when (n * 17) % 24 = (n * 13 + 5) % 24 and (n * 31) % 24 <> (n * 17) % 24 then 0.75
                            else 1
                        end
                        order by h
                    )
                from generate_series(0, 23) as h
            )
        else array[]::double precision[]
    end,
    (array['new', 'loyal', 'regular', 'at_risk', 'lapsed', 'no_purchase'])[1 + n % 6],
    n % 90
from generate_series(0, :customers - 1) as n;

insert into marketing.consents (customer_id, channel, occurred_at, granted, file_id, row_number)
select
    'c' || n,
    c.channel,
    cast(:business_date as date) - 400,
    (n * c.prime) % 10 < c.tenths,
    1,
    n
from generate_series(0, :customers - 1) as n
cross join (values ('email', 7, 8), ('app_push', 3, 7)) as c (channel, prime, tenths);

insert into marketing.recommendations (
    business_date, customer_id, purpose, rank, item_id, score, strategy, reason_item_id, model_id
)
select
    :business_date,
    'c' || n,
    p.purpose,
    r,
    'i' || (n * 61 + r * 977 + p.number * 331) % 2000,
    1.0 / r,
    'als',
    case when r % 2 = 0 then 'i' || (n * 3) % 2000 end,
    'model'
from generate_series(0, :customers - 1) as n
cross join (values ('next_purchase', 1), ('discovery', 2)) as p (purpose, number)
cross join generate_series(1, 6) as r
where (n + p.number) % 25 <> 0;

insert into marketing.messages (
    message_id, campaign_id, customer_id, channel, send_date, business_date, send_at, not_after, state, sent_at, content
)
select
    'm' || n || '-' || k,
    'earlier',
    'c' || n,
    case when (n + k) % 3 = 0 then 'app_push' else 'email' end,
    cast(at as date),
    cast(at as date) - 1,
    at,
    at + interval '6 hours',
    'sent',
    at + interval '3 minutes',
    '{}'
from generate_series(0, :customers - 1) as n
cross join (values (1), (2)) as k (k)
cross join lateral (
    select
        cast(:business_date as timestamp) at time zone 'UTC'
        - (k * 9 + (n * 37) % 13 - 8) * interval '1 day'
        + ((n * 11 + k * 5) % 14 + 7) * interval '1 hour' as at
) as told
where at < cast(:business_date as timestamp) at time zone 'UTC';

insert into marketing.engagements (
    engagement_id, message_id, engagement_type, occurred_at, file_id, row_number
)
select
    'k' || message_id,
    message_id,
    'click',
    sent_at + interval '40 minutes',
    1,
    1
from marketing.messages
where hashtext(message_id) % 40 = 0;

insert into marketing.campaigns (
    campaign_id, name, channels, starts_on, ends_on, audience, template, purpose, items_per_message, priority,
    cost_per_message, daily_budget, control_share, file_id, row_number
)
select
    name,
    name,
    array['email', 'app_push'],
    cast(:business_date as date) - 30,
    cast(:business_date as date) + 30,
    audience,
    'standard',
    purpose,
    4,
    priority,
    0.0005,
    budget,
    0.1,
    1,
    1
from (
    values
    ('welcome', array['new'], 'discovery', 2, null),
    ('spring', null, 'next_purchase', 1, null),
    ('discover', null, 'discovery', 1, 0.0005 * :customers / 8),
    ('win back', array['at_risk', 'lapsed'], 'next_purchase', 1, null),
    ('newsletter', null, 'discovery', null, null)
) as c (name, audience, purpose, priority, budget)

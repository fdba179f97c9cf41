-- One row per planned message with its content: the item that calls for it, if there is one, then items of the customer's
-- list of the campaign's purpose.
-- These are drawn one after the other by the Plackett–Luce model (Luce 1959; Plackett 1975): each with a probability in
-- proportion to exp(utility / :temperature), utility = −ln(rank) − :penalty · 2^(−days since shown / half-life). Ranks, since
-- scores of a ranker have no unit. Adding Gumbel noise and sorting draws exactly so (Yellott 1977); the noise is a hash of
-- message and item, so that a rerun draws the same. At temperature 0 the order is that of utility.
-- propensity: of the item to be drawn at its place, given those above it.
insert into marketing.messages (
    message_id, campaign_id, customer_id, channel, send_date, business_date, send_at, not_after, state, content, cost
)
with told as (
    select *
    from unnest(cast(:campaigns as text[]), cast(:purposes as text[]), cast(:items as integer[]))
        as told (campaign_id, purpose, items)
),

candidates as (
    select
        p.message_id,
        told.items - cast(p.leading_item_id is not null as integer) as places,
        r.rank,
        r.item_id,
        r.strategy,
        r.reason_item_id,
        - ln(cast(r.rank as double precision))
        - cast(:penalty as double precision)
        * coalesce(power(0.5, s.days_ago / cast(:shown_half_life_days as double precision)), 0) as utility,
        -- 52 bits of the hash, in (0, 1).
        (
            cast(
                cast('x' || left(md5(:seed || p.message_id || ' ' || r.item_id), 13) as bit(52)) as bigint
            ) + 0.5
        ) / power(cast(2 as double precision), 52) as chance
    from pg_temp.planned_messages as p
    inner join told on p.campaign_id = told.campaign_id
    inner join marketing.recommendations as r
        on
            r.business_date = :business_date
            and p.customer_id = r.customer_id
            and told.purpose = r.purpose
            -- Further down nothing is ever drawn but by what was shown lately.
            and r.rank <= 2 * told.items + 2
            and r.item_id is distinct from p.leading_item_id
    left join pg_temp.shown_items as s on p.customer_id = s.customer_id and r.item_id = s.item_id
),

weighed as (
    select
        *,
        utility / nullif(cast(:temperature as double precision), 0) as log_weight,
        coalesce(utility / nullif(cast(:temperature as double precision), 0) - ln(- ln(chance)), utility) as noisy
    from candidates
),

shares as (
    select
        *,
        case
            when log_weight is not null
                then exp(greatest(log_weight - max(log_weight) over (partition by message_id), -600))
        end as share
    from weighed
),

drawn as (
    select
        *,
        row_number() over below as place,
        coalesce(share / sum(share) over below, 1) as propensity
    from shares
    window below as (
        partition by message_id order by noisy desc, rank rows between current row and unbounded following
    )
),

listed as (
    select
        message_id,
        jsonb_agg(
            jsonb_build_object(
                'item_id', item_id, 'strategy', strategy, 'reason_item_id', reason_item_id, 'propensity', propensity
            )
            order by place
        ) as items
    from drawn
    where place <= places
    group by message_id
)

select
    p.message_id,
    p.campaign_id,
    p.customer_id,
    p.channel,
    :send_date,
    :business_date,
    p.send_at,
    p.not_after,
    p.state,
    jsonb_build_object(
        'template', c.template,
        'items',
        case
            when p.leading_item_id is null then jsonb_build_array()
            else jsonb_build_array(
                jsonb_build_object(
                    'item_id', p.leading_item_id, 'strategy', c.trigger, 'reason_item_id', null, 'propensity', 1
                )
            )
        end || coalesce(listed.items, jsonb_build_array())
    ),
    p.cost
from pg_temp.planned_messages as p
inner join marketing.campaigns as c on p.campaign_id = c.campaign_id
left join listed on p.message_id = listed.message_id

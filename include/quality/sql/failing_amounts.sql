-- One row per judged purchase whose price or quantity lies far from its category's: in logarithms, from the median of
-- the category's purchases of a year, by more than six robust standard deviations (quartiles' distance / 1.349, which a
-- quarter of wild values on either side does not move) and by more than a factor in the settings. A category needs 30.
insert into marketing.quality_failures (
    business_date, table_name, rule, column_name, row_key, file_id, row_number, reason, is_set_aside
)
select
    cast(:business_date as date),
    'events',
    broken.rule,
    broken.column_name,
    events.event_id,
    events.file_id,
    events.row_number,
    broken.reason,
    true
from marketing.events
left join marketing.items on items.item_id = events.item_id
inner join (
    select
        coalesce(sold.category, '') as category,
        count(*) as purchases,
        percentile_cont(array[0.25, 0.5, 0.75]) within group (order by sold.price) as prices,
        percentile_cont(array[0.25, 0.5, 0.75]) within group (order by sold.quantity) as quantities
    from (
        select
            past_items.category,
            case when past.unit_price > 0 and past.unit_price < 'NaN' then ln(cast(past.unit_price as double precision)) end as price,
            case when past.quantity > 0 and past.quantity < 'Infinity' then ln(past.quantity) end as quantity
        from marketing.events as past
        left join marketing.items as past_items on past_items.item_id = past.item_id
        where past.event_type = 'purchase'
            and past.occurred_at >= cast(:day_end as timestamptz) - interval '365 days'
            and past.occurred_at < cast(:day_end as timestamptz)
    ) as sold
    group by 1
    having count(*) >= 30
) as usual on usual.category = coalesce(items.category, '')
cross join lateral (
    values
    (
        'price_outlier',
        'unit_price',
        case when events.unit_price > 0 and events.unit_price < 'NaN' then ln(cast(events.unit_price as double precision)) end,
        usual.prices,
        cast(:price_factor as double precision),
        'has a unit price far from its category''s'
    ),
    (
        'quantity_outlier',
        'quantity',
        case when events.quantity > 0 and events.quantity < 'Infinity' then ln(events.quantity) end,
        usual.quantities,
        cast(:quantity_factor as double precision),
        'has a quantity far from its category''s'
    )
) as broken (rule, column_name, amount, quartiles, factor, reason)
where events.event_type = 'purchase'
    and events.occurred_at < cast(:day_end as timestamptz)
    and (
        events.occurred_at >= cast(:unjudged_since as timestamptz)
        or events.file_id = any(cast(:unjudged_files as bigint[]))
    )
    and abs(broken.amount - broken.quartiles[2])
        > greatest(6 * (broken.quartiles[3] - broken.quartiles[1]) / 1.349, ln(broken.factor))

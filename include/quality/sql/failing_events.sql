-- One row per judged event (see judged_events.sql) and rule it breaks by itself, or beside its customer, its item and its
-- category's usual amounts (usual_amounts.sql). Set aside is what no later file can put right; an unknown customer, say,
-- may still come, and is only reported.
select
    'events' as table_name,
    broken.rule,
    broken.column_name,
    flagged.event_id as row_key,
    flagged.file_id,
    flagged.row_number,
    broken.reason,
    broken.is_set_aside
from (
    select
        events.event_id,
        events.file_id,
        events.row_number,
        events.occurred_at >= cast(:day_end as timestamptz) as is_far_future,
        events.occurred_at < cast(:oldest_instant as timestamptz) as is_ancient,
        customers.customer_id is null as is_of_nobody,
        events.item_id is not null and items.item_id is null as is_of_no_item,
        events.event_type = 'purchase' and events.item_id is null as lacks_item,
        events.event_type = 'purchase' and events.unit_price is null as lacks_price,
        events.event_type = 'purchase'
            and (
                events.quantity is null
                or events.quantity <= 0
                or events.quantity > cast(:largest_amount as double precision)
            ) as has_bad_quantity,
        events.unit_price < 0 or events.unit_price > cast(:largest_amount as numeric) as has_bad_price,
        case
            when events.event_type = 'purchase' and events.unit_price > 0 and events.unit_price < 'NaN'
                then abs(ln(cast(events.unit_price as double precision)) - usual.price)
                    > greatest(usual.price_distance, ln(cast(:price_factor as double precision)))
        end as has_odd_price,
        case
            when events.event_type = 'purchase' and events.quantity > 0 and events.quantity < 'Infinity'
                then abs(ln(events.quantity) - usual.quantity)
                    > greatest(usual.quantity_distance, ln(cast(:quantity_factor as double precision)))
        end as has_odd_quantity,
        events.event_type = 'purchase'
            and events.occurred_at < customers.created_at - interval '1 day' as is_before_customer
    from marketing.events
    left join marketing.customers on customers.customer_id = events.customer_id
    left join marketing.items on items.item_id = events.item_id
    left join unnest(
        cast(:categories as text[]),
        cast(:prices as double precision[]),
        cast(:price_distances as double precision[]),
        cast(:quantities as double precision[]),
        cast(:quantity_distances as double precision[])
    ) as usual (category, price, price_distance, quantity, quantity_distance)
        on usual.category = coalesce(items.category, '')
    where (
            events.occurred_at < cast(:day_end as timestamptz)
            and (
                events.occurred_at >= cast(:unjudged_since as timestamptz)
                or events.file_id = any(cast(:unjudged_files as bigint[]))
            )
        )
        or (
            events.occurred_at >= cast(:day_end as timestamptz) + interval '1 day'
            and events.file_id = any(cast(:unjudged_files as bigint[]))
        )
) as flagged
cross join lateral (
    values
    ('far_future', 'occurred_at', flagged.is_far_future, 'occurred more than a day after the date it came with', true),
    ('ancient', 'occurred_at', flagged.is_ancient, 'occurred more than 20 years before', true),
    ('unknown_customer', 'customer_id', flagged.is_of_nobody, 'names an unknown customer', false),
    ('unknown_item', 'item_id', flagged.is_of_no_item, 'names an unknown item', false),
    ('missing_item', 'item_id', flagged.lacks_item, 'is a purchase of no named item', false),
    ('missing_price', 'unit_price', flagged.lacks_price, 'is a purchase without a unit price', false),
    ('bad_quantity', 'quantity', flagged.has_bad_quantity, 'is a purchase of an impossible quantity', true),
    ('bad_price', 'unit_price', flagged.has_bad_price, 'has an impossible unit price', true),
    ('price_outlier', 'unit_price', flagged.has_odd_price, 'has a unit price far from its category''s', true),
    ('quantity_outlier', 'quantity', flagged.has_odd_quantity, 'has a quantity far from its category''s', true),
    (
        'before_customer',
        'occurred_at',
        flagged.is_before_customer,
        'is a purchase more than a day before its customer was created',
        false
    )
) as broken (rule, column_name, is_broken, reason, is_set_aside)
where broken.is_broken
    and (
        flagged.is_far_future
        or flagged.is_ancient
        or flagged.is_of_nobody
        or flagged.is_of_no_item
        or flagged.lacks_item
        or flagged.lacks_price
        or flagged.has_bad_quantity
        or flagged.has_bad_price
        or flagged.has_odd_price
        or flagged.has_odd_quantity
        or flagged.is_before_customer
    )

-- One row per row of the other tables and rule it breaks. All are reported only: customers and items are as they are
-- now, and consents, sends and reactions may await a customer or a message that lands later.
select
    broken.table_name,
    broken.rule,
    broken.column_name,
    broken.row_key,
    broken.file_id,
    broken.row_number,
    broken.reason,
    false as is_set_aside
from (
    select
        'customers' as table_name, 'bad_email' as rule, 'email' as column_name, customer_id as row_key, file_id,
        row_number, 'has an email that is no address' as reason
    from marketing.customers
    where email !~ :email
    union all
    select
        'customers', 'unknown_zone', 'time_zone', customer_id, file_id, row_number,
        'has a time zone the database does not know'
    from marketing.customers
    where time_zone is not null and time_zone not in (select name from pg_timezone_names)
    union all
    select
        'customers', 'created_later', 'created_at', customer_id, file_id, row_number,
        'was created after the end of the date'
    from marketing.customers
    where created_at >= cast(:day_end as timestamptz) + interval '1 day'
    union all
    select 'items', 'missing_title', 'title', item_id, file_id, row_number, 'has no title'
    from marketing.items
    where coalesce(btrim(title), '') = ''
    union all
    select 'items', 'missing_category', 'category', item_id, file_id, row_number, 'has no category'
    from marketing.items
    where coalesce(btrim(category), '') = ''
    union all
    select 'items', 'bad_price', 'price', item_id, file_id, row_number, 'has a price of zero or an impossible one'
    from marketing.items
    where price <= 0 or price > cast(:largest_amount as numeric)
    union all
    select 'items', 'foreign_currency', 'currency', item_id, file_id, row_number, 'has another currency than the shop'
    from marketing.items
    where currency is not null and upper(btrim(currency)) <> cast(:currency as text)
    union all
    select
        'consents', 'unknown_customer', 'customer_id',
        concat_ws('|', customer_id, channel, to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
        file_id, row_number, 'names an unknown customer'
    from marketing.consents
    where not exists (select from marketing.customers where customers.customer_id = consents.customer_id)
    union all
    select
        'consents', 'in_future', 'occurred_at',
        concat_ws('|', customer_id, channel, to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
        file_id, row_number, 'was given after the end of the date'
    from marketing.consents
    where occurred_at >= cast(:day_end as timestamptz) + interval '1 day'
        and file_id = any(cast(:unjudged_files as bigint[]))
    union all
    select
        'campaigns', 'unknown_segment', 'audience', campaign_id, file_id, row_number,
        'names a segment that does not exist'
    from marketing.campaigns
    where not audience <@ cast(:segments as text[])
    union all
    select
        'campaigns', 'unclear_filter', 'audience_filter', campaigns.campaign_id, campaigns.file_id,
        campaigns.row_number, unclear.reason
    from marketing.campaigns
    inner join unnest(cast(:unclear_campaigns as text[]), cast(:unclear_reasons as text[]))
        as unclear (campaign_id, reason) on campaigns.campaign_id = unclear.campaign_id
    union all
    select
        'campaigns', 'no_items', 'items_per_message', campaign_id, file_id, row_number, 'shows less than one item'
    from marketing.campaigns
    where items_per_message < 1
    union all
    select
        'message_history', 'unknown_customer', 'customer_id',
        concat_ws('|', campaign_id, customer_id, channel, to_char(sent_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
        file_id, row_number, 'names an unknown customer'
    from marketing.message_history
    where file_id = any(cast(:unjudged_files as bigint[]))
        and not exists (select from marketing.customers where customers.customer_id = message_history.customer_id)
    union all
    select
        'engagements', 'unknown_message', 'message_id', engagement_id, file_id, row_number,
        'names a message that was never planned'
    from marketing.engagements
    where file_id = any(cast(:unjudged_files as bigint[]))
        and message_id is not null
        and not exists (select from marketing.messages where messages.message_id = engagements.message_id)
    union all
    select
        'engagements', 'unknown_customer', 'customer_id', engagement_id, file_id, row_number,
        'names an unknown customer'
    from marketing.engagements
    where file_id = any(cast(:unjudged_files as bigint[]))
        and message_id is null
        and not exists (select from marketing.customers where customers.customer_id = engagements.customer_id)
    union all
    select
        'engagements', 'in_future', 'occurred_at', engagement_id, file_id, row_number,
        'occurred after the end of the date'
    from marketing.engagements
    where file_id = any(cast(:unjudged_files as bigint[]))
        and occurred_at >= cast(:day_end as timestamptz) + interval '1 day'
    union all
    select
        'engagements', 'before_message', 'occurred_at', engagements.engagement_id, engagements.file_id,
        engagements.row_number, 'occurred before its message was sent'
    from marketing.engagements
    inner join marketing.messages on messages.message_id = engagements.message_id
    where engagements.file_id = any(cast(:unjudged_files as bigint[]))
        and engagements.occurred_at < messages.sent_at - interval '1 hour'
) as broken

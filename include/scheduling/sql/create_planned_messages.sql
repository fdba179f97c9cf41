-- Messages of the night as they were decided, still without their content.
drop table if exists pg_temp.planned_messages;

create temporary table planned_messages (
    message_id text,
    campaign_id text,
    customer_id text,
    channel text,
    send_at timestamptz,
    not_after timestamptz,
    leading_item_id text,
    state text,
    cost numeric(14, 4)
) on commit drop

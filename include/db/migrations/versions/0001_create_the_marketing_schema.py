"""Create the marketing schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Each view shows the rows of the latest date its table holds.
DATED_TABLES = (
    "quality_results",
    "customer_features",
    "item_features",
    "recommendations",
    "message_decisions",
    "campaign_results",
    "campaign_lift",
    "campaign_roi",
)

# Grain: customer × channel with an address. An email address is trimmed, and hashed in lower case; a push token is
# taken and hashed as it is; blanks alone are no address.
ADDRESSES = r"""
create view marketing.addresses as
select
    customer_id,
    channel,
    address,
    encode(sha256(convert_to(normalised, 'UTF8')), 'hex') as address_hash
from (
    select
        customer_id,
        'email' as channel,
        btrim(email, E' \t\r\n') as address,
        lower(btrim(email, E' \t\r\n')) as normalised
    from marketing.customers
    union all
    select
        customer_id,
        'app_push' as channel,
        push_token as address,
        push_token as normalised
    from marketing.customers
) as given
where btrim(address, E' \t\r\n') <> ''
"""


def upgrade() -> None:
    op.create_table(
        "campaign_lift",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column(
            "campaign_id", sa.Text(), nullable=False, comment="a campaign, or all: global holdout against everyone else"
        ),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("treated_n", sa.Integer(), nullable=False),
        sa.Column("treated_mean", sa.Double(), nullable=True),
        sa.Column("control_n", sa.Integer(), nullable=False),
        sa.Column("control_mean", sa.Double(), nullable=True),
        sa.Column("difference", sa.Double(), nullable=True),
        sa.Column("ci_low", sa.Double(), nullable=True),
        sa.Column("ci_high", sa.Double(), nullable=True),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("srm_p_value", sa.Double(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("includes_generated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("business_date", "campaign_id", "metric", name=op.f("campaign_lift_pkey")),
        schema="marketing",
    )
    op.create_table(
        "campaign_results",
        sa.Column("business_date", sa.Date(), nullable=False, comment="figures up to the end of this date"),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False, comment="email, app_push, or all"),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("clicked", sa.Integer(), nullable=False),
        sa.Column("unsubscribed", sa.Integer(), nullable=False),
        sa.Column("bounced", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("revenue", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("margin", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("cost", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("click_rate", sa.Double(), nullable=True),
        sa.Column("click_rate_low", sa.Double(), nullable=True),
        sa.Column("click_rate_high", sa.Double(), nullable=True),
        sa.Column(
            "includes_generated",
            sa.Boolean(),
            nullable=False,
            comment="some of it is made by the generator, not by people",
        ),
        sa.PrimaryKeyConstraint("business_date", "campaign_id", "channel", "arm", name=op.f("campaign_results_pkey")),
        schema="marketing",
    )
    op.create_table(
        "campaign_roi",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("incremental_margin", sa.Numeric(precision=24, scale=4), nullable=True),
        sa.Column("cost", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("roi", sa.Double(), nullable=True),
        sa.Column("roi_low", sa.Double(), nullable=True),
        sa.Column("roi_high", sa.Double(), nullable=True),
        sa.Column(
            "attributed_revenue", sa.Numeric(precision=24, scale=4), nullable=False, comment="last touch; not causal"
        ),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("includes_generated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("business_date", "campaign_id", name=op.f("campaign_roi_pkey")),
        schema="marketing",
    )
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("audience", postgresql.ARRAY(sa.Text()), nullable=True, comment="customer segments; null: everyone"),
        sa.Column("template", sa.Text(), nullable=True),
        sa.Column(
            "purpose", sa.Text(), nullable=True, comment="which list fills it: next_purchase (default) or discovery"
        ),
        sa.Column("items_per_message", sa.SmallInteger(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("cost_per_message", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("cost_per_order", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("control_share", sa.Double(), nullable=True),
        sa.Column("requires_approval", sa.Boolean(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("campaigns_pkey")),
        schema="marketing",
    )
    op.create_index(op.f("campaigns_file_id_idx"), "campaigns", ["file_id"], unique=False, schema="marketing")
    op.create_table(
        "consents",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "channel", "occurred_at", name=op.f("consents_pkey")),
        schema="marketing",
    )
    op.create_index(op.f("consents_file_id_idx"), "consents", ["file_id"], unique=False, schema="marketing")
    op.create_table(
        "customer_features",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("recency", sa.Integer(), nullable=True, comment="days since the last purchase; null: never"),
        sa.Column("frequency", sa.Integer(), nullable=False, comment="distinct purchase days in the profile window"),
        sa.Column(
            "monetary_value", sa.Numeric(precision=24, scale=4), nullable=False, comment="spent in the profile window"
        ),
        sa.Column("first_purchase_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_purchase_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("preferred_categories", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("price_band", sa.Text(), nullable=True, comment="low, middle or high against the category's prices"),
        sa.Column(
            "active_hours",
            postgresql.ARRAY(sa.Double()),
            nullable=False,
            comment="24 shares of activity by local hour; empty: none",
        ),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("business_date", "customer_id", name=op.f("customer_features_pkey")),
        schema="marketing",
    )
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("push_token", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("customers_pkey")),
        schema="marketing",
    )
    op.create_index(op.f("customers_file_id_idx"), "customers", ["file_id"], unique=False, schema="marketing")
    op.create_table(
        "engagements",
        sa.Column(
            "engagement_id", sa.Text(), nullable=False, comment="sha256 of what identifies it, so a repeat counts once"
        ),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("campaign_id", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("engagement_type", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("is_machine", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "address_hash",
            sa.Text(),
            nullable=True,
            comment="of the address a bounce speaks of, as in suppressions; set when first read",
        ),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "engagement_type in ('delivered', 'open', 'click', 'unsubscribe', 'bounce', 'complaint')",
            name=op.f("engagements_engagement_type_check"),
        ),
        sa.PrimaryKeyConstraint("engagement_id", name=op.f("engagements_pkey")),
        schema="marketing",
    )
    op.create_index(
        op.f("engagements_campaign_id_customer_id_idx"),
        "engagements",
        ["campaign_id", "customer_id"],
        unique=False,
        schema="marketing",
    )
    op.create_index(op.f("engagements_file_id_idx"), "engagements", ["file_id"], unique=False, schema="marketing")
    op.create_index(op.f("engagements_message_id_idx"), "engagements", ["message_id"], unique=False, schema="marketing")
    op.create_table(
        "events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Double(), nullable=True),
        sa.Column("unit_price", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "event_type in ('view', 'search', 'click', 'add_to_cart', 'purchase', 'return', 'rating')",
            name=op.f("events_event_type_check"),
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("events_pkey")),
        schema="marketing",
    )
    op.create_index(
        op.f("events_customer_id_occurred_at_idx"),
        "events",
        ["customer_id", "occurred_at"],
        unique=False,
        schema="marketing",
    )
    op.create_index(op.f("events_file_id_idx"), "events", ["file_id"], unique=False, schema="marketing")
    op.create_index(op.f("events_occurred_at_idx"), "events", ["occurred_at"], unique=False, schema="marketing")
    op.create_table(
        "holdouts",
        sa.Column("holdout_id", sa.Text(), nullable=False, comment="the salt that names the term"),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("assigned_on", sa.Date(), nullable=False),
        sa.Column("released_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("holdout_id", "customer_id", name=op.f("holdouts_pkey")),
        schema="marketing",
    )
    op.create_table(
        "interactions",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column(
            "business_date", sa.Date(), nullable=False, comment="the date this table was built for; one for all rows"
        ),
        sa.Column(
            "weight", sa.Double(), nullable=False, comment="event weights by distinct day, decayed to the business date"
        ),
        sa.Column("purchase_days", sa.Integer(), nullable=False),
        sa.Column("last_occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "item_id", name=op.f("interactions_pkey")),
        schema="marketing",
    )
    op.create_table(
        "item_features",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("buyers", sa.Integer(), nullable=False),
        sa.Column("purchase_days", sa.Integer(), nullable=False, comment="distinct customer-days with a purchase"),
        sa.Column("popularity", sa.Double(), nullable=False, comment="decayed purchase weight"),
        sa.Column("median_price", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("last_purchase_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("business_date", "item_id", name=op.f("item_features_pkey")),
        schema="marketing",
    )
    op.create_table(
        "items",
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("margin_rate", sa.Double(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("in_stock", sa.Boolean(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("items_pkey")),
        schema="marketing",
    )
    op.create_index(op.f("items_file_id_idx"), "items", ["file_id"], unique=False, schema="marketing")
    op.create_table(
        "landing_files",
        sa.Column("file_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False, comment="the folder's date"),
        sa.Column("file", sa.Text(), nullable=False, comment="path below the landing root"),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows_accepted", sa.BigInteger(), nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name=op.f("landing_files_pkey")),
        sa.UniqueConstraint("file", name=op.f("landing_files_file_key")),
        schema="marketing",
    )
    op.create_table(
        "message_decisions",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False, comment="treated, control or holdout, for every candidate alike"),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="a sentence"),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=True),
        sa.Column(
            "slot_probabilities",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="local hour → probability, whole",
        ),
        sa.Column("expected_value", sa.Double(), nullable=True),
        sa.Column("explored", sa.Boolean(), nullable=True),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.CheckConstraint("arm in ('treated', 'control', 'holdout')", name=op.f("message_decisions_arm_check")),
        sa.CheckConstraint(
            "decision in ('scheduled', 'held_out', 'control', 'no_consent', 'no_address', 'suppressed', 'capped', 'quiet_hours', 'no_capacity', 'nothing_to_say', 'not_in_audience')",
            name=op.f("message_decisions_decision_check"),
        ),
        sa.PrimaryKeyConstraint("business_date", "campaign_id", "customer_id", name=op.f("message_decisions_pkey")),
        schema="marketing",
    )
    op.create_index(
        op.f("message_decisions_customer_id_business_date_idx"),
        "message_decisions",
        ["customer_id", "business_date"],
        unique=False,
        schema="marketing",
    )
    op.create_table(
        "message_history",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("cost", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("arm in ('treated', 'control')", name=op.f("message_history_arm_check")),
        sa.PrimaryKeyConstraint("campaign_id", "customer_id", "channel", "sent_at", name=op.f("message_history_pkey")),
        schema="marketing",
    )
    op.create_index(
        op.f("message_history_file_id_idx"), "message_history", ["file_id"], unique=False, schema="marketing"
    )
    op.create_table(
        "messages",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("send_date", sa.Date(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False, comment="the night that planned it"),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True, comment="the delivery run that holds it"),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "address_hash",
            sa.Text(),
            nullable=True,
            comment="of the address it was last claimed for, as in suppressions; null: never claimed",
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "content",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment='{"items": [{item_id, strategy, reason_item_id}], "template"}',
        ),
        sa.Column("cost", sa.Numeric(precision=14, scale=4), server_default="0", nullable=False),
        sa.CheckConstraint(
            "state in ('planned', 'sending', 'sent', 'failed', 'unknown', 'expired', 'cancelled')",
            name=op.f("messages_state_check"),
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("messages_pkey")),
        sa.UniqueConstraint(
            "campaign_id",
            "customer_id",
            "channel",
            "send_date",
            name=op.f("messages_campaign_id_customer_id_channel_send_date_key"),
        ),
        schema="marketing",
    )
    op.create_index(op.f("messages_business_date_idx"), "messages", ["business_date"], unique=False, schema="marketing")
    op.create_index(
        op.f("messages_customer_id_send_at_idx"),
        "messages",
        ["customer_id", "send_at"],
        unique=False,
        schema="marketing",
    )
    op.create_index(
        op.f("messages_state_send_at_idx"), "messages", ["state", "send_at"], unique=False, schema="marketing"
    )
    op.create_table(
        "models",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.Column("artifact_sha256", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it was promoted or rejected, in a sentence"),
        sa.CheckConstraint(
            "status in ('candidate', 'champion', 'retired', 'rejected')", name=op.f("models_status_check")
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("models_pkey")),
        schema="marketing",
    )
    op.create_index(op.f("models_business_date_idx"), "models", ["business_date"], unique=False, schema="marketing")
    op.create_table(
        "quality_results",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("expectation", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("observed_value", sa.Text(), nullable=True),
        sa.Column("unexpected_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("message", sa.Text(), nullable=False, comment="one line a person can act on"),
        sa.CheckConstraint("severity in ('critical', 'warning', 'info')", name=op.f("quality_results_severity_check")),
        sa.PrimaryKeyConstraint(
            "business_date", "table_name", "expectation", "column_name", name=op.f("quality_results_pkey")
        ),
        schema="marketing",
    )
    op.create_table(
        "quarantined_rows",
        sa.Column("quarantined_row_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("quarantined_row_id", name=op.f("quarantined_rows_pkey")),
        schema="marketing",
    )
    op.create_index(
        op.f("quarantined_rows_business_date_table_name_idx"),
        "quarantined_rows",
        ["business_date", "table_name"],
        unique=False,
        schema="marketing",
    )
    op.create_index(
        op.f("quarantined_rows_file_id_idx"), "quarantined_rows", ["file_id"], unique=False, schema="marketing"
    )
    op.create_table(
        "recommendation_drafts",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("reason_item_id", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "business_date", "customer_id", "purpose", "rank", name=op.f("recommendation_drafts_pkey")
        ),
        schema="marketing",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "recommendations",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("reason_item_id", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("business_date", "customer_id", "purpose", "rank", name=op.f("recommendations_pkey")),
        schema="marketing",
    )
    op.create_table(
        "send_time_profiles",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("day_type", sa.Text(), nullable=False, comment="weekday or weekend"),
        sa.Column("hour", sa.SmallInteger(), nullable=False, comment="0 to 23 in the customer's zone"),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False, comment="posterior Beta(alpha, beta) of the click rate"),
        sa.Column("beta", sa.Double(), nullable=False),
        sa.Column("rate_mean", sa.Double(), nullable=False),
        sa.Column("rate_low", sa.Double(), nullable=False),
        sa.Column("rate_high", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "channel", "day_type", "hour", name=op.f("send_time_profiles_pkey")),
        schema="marketing",
    )
    op.create_table(
        "suppressions",
        sa.Column(
            "address_hash", sa.Text(), nullable=False, comment="sha256 of the normalised address; never the address"
        ),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="when the ground for it occurred"),
        sa.Column(
            "released_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="an operator's release: only a ground later than this suppresses again",
        ),
        sa.PrimaryKeyConstraint("address_hash", "channel", name=op.f("suppressions_pkey")),
        schema="marketing",
    )
    for table in DATED_TABLES:
        op.execute(
            f"create view marketing.current_{table} as select * from marketing.{table} "  # noqa: S608 - constants
            f"where business_date = (select max(business_date) from marketing.{table})"
        )
    op.execute(ADDRESSES)


def downgrade() -> None:
    op.execute("drop view marketing.addresses")
    for table in DATED_TABLES:
        op.execute(f"drop view marketing.current_{table}")
    op.drop_table("suppressions", schema="marketing")
    op.drop_table("send_time_profiles", schema="marketing")
    op.drop_table("recommendations", schema="marketing")
    op.drop_table("recommendation_drafts", schema="marketing")
    op.drop_index(op.f("quarantined_rows_file_id_idx"), table_name="quarantined_rows", schema="marketing")
    op.drop_index(
        op.f("quarantined_rows_business_date_table_name_idx"), table_name="quarantined_rows", schema="marketing"
    )
    op.drop_table("quarantined_rows", schema="marketing")
    op.drop_table("quality_results", schema="marketing")
    op.drop_index(op.f("models_business_date_idx"), table_name="models", schema="marketing")
    op.drop_table("models", schema="marketing")
    op.drop_index(op.f("messages_state_send_at_idx"), table_name="messages", schema="marketing")
    op.drop_index(op.f("messages_customer_id_send_at_idx"), table_name="messages", schema="marketing")
    op.drop_index(op.f("messages_business_date_idx"), table_name="messages", schema="marketing")
    op.drop_table("messages", schema="marketing")
    op.drop_index(op.f("message_history_file_id_idx"), table_name="message_history", schema="marketing")
    op.drop_table("message_history", schema="marketing")
    op.drop_index(
        op.f("message_decisions_customer_id_business_date_idx"), table_name="message_decisions", schema="marketing"
    )
    op.drop_table("message_decisions", schema="marketing")
    op.drop_table("landing_files", schema="marketing")
    op.drop_index(op.f("items_file_id_idx"), table_name="items", schema="marketing")
    op.drop_table("items", schema="marketing")
    op.drop_table("item_features", schema="marketing")
    op.drop_table("interactions", schema="marketing")
    op.drop_table("holdouts", schema="marketing")
    op.drop_index(op.f("events_occurred_at_idx"), table_name="events", schema="marketing")
    op.drop_index(op.f("events_file_id_idx"), table_name="events", schema="marketing")
    op.drop_index(op.f("events_customer_id_occurred_at_idx"), table_name="events", schema="marketing")
    op.drop_table("events", schema="marketing")
    op.drop_index(op.f("engagements_message_id_idx"), table_name="engagements", schema="marketing")
    op.drop_index(op.f("engagements_file_id_idx"), table_name="engagements", schema="marketing")
    op.drop_index(op.f("engagements_campaign_id_customer_id_idx"), table_name="engagements", schema="marketing")
    op.drop_table("engagements", schema="marketing")
    op.drop_index(op.f("customers_file_id_idx"), table_name="customers", schema="marketing")
    op.drop_table("customers", schema="marketing")
    op.drop_table("customer_features", schema="marketing")
    op.drop_index(op.f("consents_file_id_idx"), table_name="consents", schema="marketing")
    op.drop_table("consents", schema="marketing")
    op.drop_index(op.f("campaigns_file_id_idx"), table_name="campaigns", schema="marketing")
    op.drop_table("campaigns", schema="marketing")
    op.drop_table("campaign_roi", schema="marketing")
    op.drop_table("campaign_results", schema="marketing")
    op.drop_table("campaign_lift", schema="marketing")

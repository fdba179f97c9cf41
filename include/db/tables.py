"""The shared tables of the Postgres schema ``marketing``: every column name is written here, once.

Stages meet in these tables. Everything timed is ``timestamptz``; a ``business_date`` is a date of the business's zone.
A change here needs an Alembic migration (``include/db/migrations``); a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

SCHEMA = "marketing"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)

IS_GENERATED = "(cast(lower(properties ->> 'generated') = 'true' as integer))"
"""1 for an invented event, not one of a real customer; in this writing an index finds it."""

EVENT_TYPES = ("view", "search", "click", "add_to_cart", "purchase", "return", "rating")
ENGAGEMENT_TYPES = ("delivered", "open", "click", "unsubscribe", "bounce", "complaint")
SEGMENTS = ("new", "loyal", "regular", "at_risk", "lapsed", "no_purchase")
"""Of customers; ``include/features`` tells the rule, a campaign's audience names them."""
LIFECYCLE_STAGES = ("prospect", "new", "active", "reactivated", "at_risk", "lapsed")
NEXT_PURCHASE = "next_purchase"
"""What the customer is likely to buy next; what was bought before may come again."""
DISCOVERY = "discovery"
"""What the customer has never bought."""
PURPOSES = (NEXT_PURCHASE, DISCOVERY)
"""Of recommended lists; a campaign that names none takes the first."""
LONGEST_NAME = 200
"""Characters that count of a category, brand, device, channel or search term: all of it must fit into an index."""
EVERY_CAMPAIGN = "all"
"""The campaign_id in reports of the global holdout against everybody else; so no campaign may have it."""
AWAITING_APPROVAL = "awaiting_approval"
MESSAGE_STATES = (AWAITING_APPROVAL, "planned", "sending", "sent", "failed", "unknown", "expired", "cancelled")
DECISIONS = (
    "scheduled",
    "held_out",
    "control",
    "no_consent",
    "no_address",
    "suppressed",
    "capped",
    "quiet_hours",
    "no_capacity",
    "over_budget",
    "nothing_to_say",
    "not_worth_sending",
    "not_approved",
    "not_in_audience",
)
CHOSEN, RANDOM_HOUR = "chosen", "random_hour"
POLICIES = (CHOSEN, RANDOM_HOUR)
"""How a message's channel and hour were drawn: by what is known, or, for a small control, at random."""
TRIGGERS = ("welcome", "abandoned_cart", "lapsed", "back_in_stock", "price_drop", "replenishment_due")
"""Occasions in a customer's life that a campaign may wait for."""
WAITING, APPROVED, REFUSED, TIMED_OUT = "waiting", "approved", "refused", "timed_out"
APPROVALS = (WAITING, APPROVED, REFUSED, TIMED_OUT)


def _money(name: str, **options: Any) -> Column[Any]:
    return Column(name, Numeric(14, 4), **options)


def _total(name: str, **options: Any) -> Column[Any]:
    """A sum over many amounts, in whatever currency."""
    return Column(name, Numeric(24, 4), **options)


def _instant(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **options)


def _one_of(name: str, allowed: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{name} in ({', '.join(repr(value) for value in allowed)})", name=name)


def _provenance() -> list[Column[Any]]:
    """Which landing file, and which of its rows, a landed row came from."""
    return [Column("file_id", BigInteger, nullable=False, index=True), Column("row_number", BigInteger, nullable=False)]


# --- landing -----------------------------------------------------------------------------------------------------

landing_files = Table(
    "landing_files",
    metadata,
    Column("file_id", BigInteger, Identity(), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("business_date", Date, nullable=False, comment="the folder's date"),
    Column("file", Text, nullable=False, comment="path below the landing root"),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("rows_accepted", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    UniqueConstraint("file"),
)

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("email", Text),
    Column("push_token", Text),
    Column("time_zone", Text),
    Column("locale", Text),
    Column("country", Text),
    _instant("created_at"),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    *_provenance(),
)

items = Table(
    "items",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("title", Text),
    Column("category", Text),
    Column("brand", Text),
    _money("price"),
    Column("margin_rate", Double),
    Column("currency", Text),
    Column("url", Text),
    Column("image_url", Text),
    Column("in_stock", Boolean),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    *_provenance(),
)

events = Table(
    "events",
    metadata,
    # Bytewise: nobody sorts events by id for people, and a key of millions of rows is built in half the time.
    Column("event_id", Text(collation="C"), primary_key=True),
    Column("event_type", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    _instant("occurred_at", nullable=False, index=True),
    Column("item_id", Text),
    Column("quantity", Double),
    _money("unit_price"),
    Column("query", Text),
    Column("order_id", Text),
    Column("message_id", Text),
    Column("properties", JSONB, nullable=False, server_default="{}"),
    Column("file_id", BigInteger, nullable=False),
    Column("row_number", BigInteger, nullable=False),
    _one_of("event_type", EVENT_TYPES),
    # Both lie together. Built in a twentieth of a btree's time, and asked rarely.
    Index("events_files_idx", "file_id", text(IS_GENERATED), postgresql_using="brin"),
)

changed_event_days = Table(
    "changed_event_days",
    metadata,
    Column("utc_day", Date, primary_key=True, autoincrement=False, comment="of the events' occurred_at"),
    Column(
        "file_id", BigInteger, nullable=False, comment="the newest file whose load added, replaced or took away events"
    ),
)

consents = Table(
    "consents",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    _instant("occurred_at", primary_key=True),
    Column("granted", Boolean, nullable=False),
    Column("source", Text),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    *_provenance(),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("channels", ARRAY(Text), nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("audience", ARRAY(Text), comment="customer segments; null: everyone"),
    Column("audience_filter", Text, comment="over customer_features, such as: recency >= 30 and frequency > 2"),
    Column("trigger", Text, comment="an occasion in the customer's life, such as abandoned_cart; null: none"),
    Column("template", Text),
    Column("purpose", Text, comment="which list fills it: next_purchase (default) or discovery"),
    Column("items_per_message", SmallInteger),
    Column("priority", Integer),
    _money("cost_per_message"),
    _money("cost_per_order"),
    _money("daily_budget", comment="what all messages of a day may cost; null: no limit"),
    Column("control_share", Double),
    Column("requires_approval", Boolean),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    *_provenance(),
)

message_history = Table(
    "message_history",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    _instant("sent_at", primary_key=True),
    Column("arm", Text, nullable=False),
    _money("cost"),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    *_provenance(),
    _one_of("arm", ("treated", "control")),
    Index(None, "sent_at"),
)

engagements = Table(
    "engagements",
    metadata,
    Column("engagement_id", Text, primary_key=True, comment="sha256 of what identifies it, so a repeat counts once"),
    Column("message_id", Text, index=True),
    Column("campaign_id", Text),
    Column("customer_id", Text),
    Column("engagement_type", Text, nullable=False),
    _instant("occurred_at", nullable=False),
    Column("user_agent", Text),
    Column("url", Text),
    Column("is_machine", Boolean, nullable=False, server_default="false"),
    Column("address_hash", Text, comment="of the address a bounce speaks of, as in suppressions; set when first read"),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    *_provenance(),
    _one_of("engagement_type", ENGAGEMENT_TYPES),
    Index(None, "campaign_id", "customer_id"),
)

LANDING_TABLES: dict[str, Table] = {
    table.name: table for table in (customers, items, events, consents, campaigns, message_history, engagements)
}
"""The tables of the landing contract, in the order they are loaded."""

PROVENANCE_COLUMNS = ("file_id", "row_number")

# --- quality -----------------------------------------------------------------------------------------------------

quality_results = Table(
    "quality_results",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("expectation", Text, primary_key=True),
    Column("column_name", Text, primary_key=True, server_default=""),
    Column("severity", Text, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("observed_value", Text),
    Column("unexpected_count", BigInteger, nullable=False, server_default="0"),
    Column("message", Text, nullable=False, comment="one line a person can act on"),
    _one_of("severity", ("critical", "warning", "info")),
)

quarantined_rows = Table(
    "quarantined_rows",
    metadata,
    Column("quarantined_row_id", BigInteger, Identity(), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("file_id", BigInteger, nullable=False, index=True),
    Column("file", Text, nullable=False),
    Column("row_number", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("row", Text, nullable=False),
    Index(None, "business_date", "table_name"),
)

quality_failures = Table(
    "quality_failures",
    metadata,
    Column("quality_failure_id", BigInteger, Identity(), primary_key=True),
    Column("business_date", Date, nullable=False, comment="the night that judged the row"),
    Column("table_name", Text, nullable=False),
    Column("rule", Text, nullable=False, comment="as column_name in quality_results"),
    Column("column_name", Text, nullable=False),
    Column("row_key", Text, nullable=False, comment="the row's key; parts joined by a bar"),
    *_provenance(),
    Column("reason", Text, nullable=False, comment="completes: this row ..."),
    Column("is_set_aside", Boolean, nullable=False, comment="the row is in excluded_events: not to be used"),
    Index(None, "business_date", "table_name", "rule"),
)

# --- features ----------------------------------------------------------------------------------------------------


def _profile_columns() -> list[Column[Any]]:
    """Shares stand in the order of the names beside them, the largest first, and are of all, so they may sum to less
    than 1."""
    texts = ("favourite_brands", "devices", "channels", "search_terms")
    shares = ("category_shares", "brand_shares", "device_shares", "channel_shares", "weekday_hours", "weekend_hours")
    return [
        *(Column(name, ARRAY(Text), nullable=False, server_default="{}") for name in texts),
        *(Column(name, ARRAY(Double), nullable=False, server_default="{}") for name in shares),
        Column("mean_interval_days", Double, comment="between purchase days of the window; null: fewer than two"),
        Column("median_interval_days", Double),
    ]


def _outlook_columns() -> list[Column[Any]]:
    """Null where nothing can be said: for whoever never bought, or while there are too few buyers to learn from."""
    return [
        Column("lifecycle_stage", Text),
        Column("churn_probability", Double, comment="of no order in the next forecast_days"),
        Column("expected_orders", Double, comment="purchase days in the next forecast_days"),
        _total("expected_value", comment="revenue of the next forecast_days"),
        Column("discount_sensitivity", Double, comment="share of bargains among the purchases that could be one"),
    ]


customer_features = Table(
    "customer_features",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("recency", Integer, comment="days since the last purchase; null: never"),
    Column("frequency", Integer, nullable=False, comment="distinct purchase days in the profile window"),
    _total("monetary_value", nullable=False, comment="spent in the profile window"),
    _instant("first_purchase_at"),
    _instant("last_purchase_at"),
    Column("preferred_categories", ARRAY(Text), nullable=False),
    Column("price_band", Text, comment="low, middle or high against the category's prices"),
    Column("active_hours", ARRAY(Double), nullable=False, comment="24 shares of activity by local hour; empty: none"),
    Column("segment", Text, nullable=False),
    *_profile_columns(),
    *_outlook_columns(),
)

item_features = Table(
    "item_features",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("category", Text),
    Column("buyers", Integer, nullable=False),
    Column("purchase_days", Integer, nullable=False, comment="distinct customer-days with a purchase"),
    Column("popularity", Double, nullable=False, comment="decayed purchase weight"),
    _money("median_price"),
    _instant("last_purchase_at"),
    _money("list_price", comment="as the catalogue said when this date was built"),
    Column("in_stock", Boolean, comment="likewise"),
)

interactions = Table(
    "interactions",
    MetaData(schema=SCHEMA),
    Column("customer_id", Text),
    Column("item_id", Text),
    Column("business_date", Date, comment="the date it was built for; one for all rows"),
    Column("weight", Double, comment="event weights by distinct day, decayed to the business date"),
    Column("purchase_days", Integer),
    _instant("last_occurred_at"),
)
"""A view over ``interaction_totals``, so not in the metadata of tables; one row per pair whose weight is above zero."""

feature_state = Table(
    "feature_state",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default="true"),
    Column("business_date", Date, nullable=False, comment="up to the end of which the totals count"),
    Column("landmark", Date, nullable=False, comment="the day whose events have a decay of 1"),
    Column("half_life_days", Double, nullable=False),
    Column("newest_file_id", BigInteger, nullable=False, comment="loads up to this one are in the daily tables"),
    Column("daily_fingerprint", Text, nullable=False, comment="of the settings the daily tables depend on"),
    Column("totals_fingerprint", Text, nullable=False, comment="of the settings the totals depend on"),
    CheckConstraint("is_only", name="only"),
)

feature_exclusions = Table(
    "feature_exclusions",
    metadata,
    Column("event_id", Text(collation="C"), primary_key=True),
    Column("utc_day", Date, nullable=False),
)
"""Events that the daily tables leave out, since the quality gate had set them aside when they were last read."""

feature_customers = Table(
    "feature_customers",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", Text, nullable=False),
    Column("time_zone", Text, nullable=False, comment="whose hours daily_activity has"),
    UniqueConstraint("customer_id"),
)

feature_items = Table(
    "feature_items",
    metadata,
    Column("item_no", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Text, nullable=False),
    Column("category", Text, comment="as customer_tastes counts it"),
    Column("brand", Text, comment="as customer_tastes counts it"),
    UniqueConstraint("item_id"),
)

daily_interactions = Table(
    "daily_interactions",
    metadata,
    Column("business_day", Date, nullable=False, index=True),
    Column("customer_no", Integer, nullable=False),
    Column("item_no", Integer, nullable=False),
    Column("type_no", SmallInteger, nullable=False, comment="place in EVENT_TYPES, from 1"),
    _instant("last_occurred_at", nullable=False),
    _money("unit_price", comment="the lowest paid; of purchases"),
    Index(None, "item_no", "unit_price", postgresql_where=text("unit_price is not null")),
)

daily_activity = Table(
    "daily_activity",
    metadata,
    Column("business_day", Date, nullable=False, index=True),
    Column("customer_no", Integer, nullable=False),
    Column("local_hour", SmallInteger, nullable=False),
    Column("is_weekend", Boolean, nullable=False, comment="by the customer's own date"),
    _instant("first_purchase_at"),
    _instant("last_purchase_at"),
    Column("amount", Numeric, comment="bought less returned"),
)

daily_habits = Table(
    "daily_habits",
    metadata,
    Column("business_day", Date, nullable=False, index=True),
    Column("customer_no", Integer, nullable=False),
    Column("kind", Text, nullable=False, comment="device, channel or search"),
    Column("value", Text, nullable=False),
)

daily_prices = Table(
    "daily_prices",
    metadata,
    Column("business_day", Date, nullable=False, index=True),
    Column("item_no", Integer, nullable=False),
    _money("unit_price", nullable=False),
    Column("lines", Integer, nullable=False, comment="purchases at this price"),
)

interaction_totals = Table(
    "interaction_totals",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("item_no", Integer, primary_key=True, autoincrement=False, index=True),
    Column("weight", Numeric, nullable=False, comment="in the decay of the landmark"),
    Column("window_decay", Numeric, nullable=False, comment="of purchase days in the profile window"),
    Column("event_days", Integer, nullable=False, comment="distinct event types and days"),
    Column("purchase_days", Integer, nullable=False),
    Column("window_purchase_days", Integer, nullable=False),
    _instant("last_occurred_at", nullable=False),
)

item_totals = Table(
    "item_totals",
    metadata,
    Column("item_no", Integer, primary_key=True, autoincrement=False),
    Column("event_days", Integer, nullable=False),
    Column("buyers", Integer, nullable=False),
    Column("purchase_days", Integer, nullable=False),
    Column("popularity", Numeric, nullable=False, comment="in the decay of the landmark"),
    _instant("last_purchase_at"),
    _money("median_price"),
    Column("price_permille", Integer, comment="place of its price among its category's purchases"),
    Column("bargain_price", Numeric, comment="at or below it, a bargain; null: never sold so low"),
)

item_prices = Table(
    "item_prices",
    metadata,
    Column("item_no", Integer, primary_key=True, autoincrement=False),
    _money("unit_price", primary_key=True),
    Column("lines", Integer, nullable=False),
)

customer_totals = Table(
    "customer_totals",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("event_hours", Integer, nullable=False, comment="distinct hours with an event"),
    Column("purchase_days", Integer, nullable=False, comment="of all history"),
    _instant("first_purchase_at"),
    _instant("last_purchase_at"),
    Column("amount", Numeric, nullable=False, comment="of all history"),
    Column("window_amount", Numeric, nullable=False),
    Column("window_purchase_dates", ARRAY(Date), nullable=False),
    Column("price_points", BigInteger, nullable=False, comment="sum of price_permille over window purchase days"),
    Column("priced_days", Integer, nullable=False),
    Column("bargain_days", Integer, nullable=False, server_default="0", comment="of comparable_days"),
    Column("comparable_days", Integer, nullable=False, server_default="0", comment="× item with a bargain price"),
)

customer_hours = Table(
    "customer_hours",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("is_weekend", Boolean, primary_key=True),
    Column("local_hour", SmallInteger, primary_key=True, autoincrement=False),
    Column("days", Integer, nullable=False, comment="in the profile window"),
    Column("weight", Numeric, nullable=False, comment="of these days, in the decay of the landmark"),
)

customer_tastes = Table(
    "customer_tastes",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True, comment="category, brand, device, channel or search"),
    Column("value", Text, primary_key=True),
    Column("days", Integer, nullable=False, comment="in the profile window"),
    Column("weight", Numeric, nullable=False, comment="of these days, in the decay of the landmark"),
)

customer_shares = Table(
    "customer_shares",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("active_hours", ARRAY(Double), nullable=False),
    Column("weekday_hours", ARRAY(Double), nullable=False),
    Column("weekend_hours", ARRAY(Double), nullable=False),
    Column("preferred_categories", ARRAY(Text), nullable=False),
    Column("category_shares", ARRAY(Double), nullable=False),
    Column("favourite_brands", ARRAY(Text), nullable=False),
    Column("brand_shares", ARRAY(Double), nullable=False),
    Column("devices", ARRAY(Text), nullable=False),
    Column("device_shares", ARRAY(Double), nullable=False),
    Column("channels", ARRAY(Text), nullable=False),
    Column("channel_shares", ARRAY(Double), nullable=False),
    Column("search_terms", ARRAY(Text), nullable=False),
    Column("median_interval_days", Double),
)
"""What no passing of time alone changes: computed again only for customers whose days came, went or were corrected."""

# --- recommender -------------------------------------------------------------------------------------------------

models = Table(
    "models",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("algorithm", Text, nullable=False),
    Column("business_date", Date, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("metrics", JSONB, nullable=False),
    Column("artifact_uri", Text, nullable=False),
    Column("artifact_sha256", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="why it was promoted or rejected, in a sentence"),
    _one_of("status", ("candidate", "champion", "retired", "rejected")),
)


def _recommendation_columns() -> list[Column[Any]]:
    return [
        Column("business_date", Date, primary_key=True),
        Column("customer_id", Text, primary_key=True),
        Column("purpose", Text, primary_key=True),
        Column("rank", SmallInteger, primary_key=True),
        Column("item_id", Text, nullable=False),
        Column("score", Double, nullable=False),
        Column("strategy", Text, nullable=False),
        Column("reason_item_id", Text),
        Column("model_id", Text, nullable=False),
    ]


recommendations = Table("recommendations", metadata, *_recommendation_columns())

recommendation_drafts = Table(
    "recommendation_drafts",
    metadata,
    *_recommendation_columns(),
    Column("shard", SmallInteger, nullable=False),
    prefixes=["UNLOGGED"],
)
"""What the shards write; publishing moves a complete date to ``recommendations`` in one transaction."""

# --- scheduling --------------------------------------------------------------------------------------------------

send_time_curves = Table(
    "send_time_curves",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("day_type", Text, primary_key=True, comment="weekday or weekend"),
    Column("business_date", Date, nullable=False),
    *(
        Column(name, ARRAY(REAL), nullable=False, comment="by hour 0 to 23 in the customer's zone")
        for name in ("rate_mean", "rate_low", "rate_high")
    ),
)
"""The view ``send_time_profiles`` has a row for each hour."""

send_time_models = Table(
    "send_time_models",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("parameters", JSONB, nullable=False, comment="segments by name, and what is common to all customers"),
)

holdouts = Table(
    "holdouts",
    metadata,
    Column("holdout_id", Text, primary_key=True, comment="the salt that names the term"),
    Column("customer_id", Text, primary_key=True),
    Column("assigned_on", Date, nullable=False),
    Column("released_on", Date),
)

message_decisions = Table(
    "message_decisions",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("campaign_id", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("arm", Text, nullable=False, comment="treated, control or holdout, for every candidate alike"),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="a sentence"),
    Column("channel", Text),
    _instant("send_at"),
    Column("propensity", Double),
    Column("slot_probabilities", JSONB, comment="channel → local hour → probability, whole"),
    Column("policy", Text, comment="how it was drawn: chosen, or random_hour for a control; null: no message"),
    Column("is_ghost", Boolean, comment="of a control: a message would have gone; null: not a control"),
    Column("expected_value", Double),
    Column("value_terms", JSONB, comment="what expected_value is made of: rate, margin, cost, fatigue"),
    Column("explored", Boolean),
    Column("policy_version", Text, nullable=False),
    Column(
        "second_channel", Text, comment="of a second message beside the first, which the others tell of; null: none"
    ),
    _instant("second_send_at"),
    Column("second_propensity", Double, comment="of its hour; its channel was the one left"),
    Column("second_slot_probabilities", JSONB),
    Column("second_expected_value", Double),
    Column("second_value_terms", JSONB, comment="as value_terms; unclicked: how likely the first is not clicked"),
    Column("second_explored", Boolean),
    _one_of("decision", DECISIONS),
    _one_of("arm", ("treated", "control", "holdout")),
    _one_of("policy", POLICIES),
    Index(None, "customer_id", "business_date"),
)

response_models = Table(
    "response_models",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("subject", Text, primary_key=True, comment="what is learned of all customers, such as fatigue"),
    Column("channel", Text, primary_key=True),
    Column("parameters", JSONB, nullable=False),
)

campaign_approvals = Table(
    "campaign_approvals",
    metadata,
    Column("business_date", Date, primary_key=True, comment="the night whose plan waits"),
    Column("campaign_id", Text, primary_key=True),
    Column("preview_key", Text, primary_key=True, comment="names the plan, by what was shown"),
    Column("is_current", Boolean, nullable=False, comment="the campaign's messages of the night follow this answer"),
    Column("status", Text, nullable=False),
    Column("preview", JSONB, nullable=False, comment="what the person who decides was shown"),
    _instant("answered_at"),
    Column("answered_by", Text),
    _one_of("status", APPROVALS),
)

plan_previews = Table(
    "plan_previews",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("campaign_id", Text, primary_key=True, comment="or all"),
    Column("preview", JSONB, nullable=False, comment="counts, hours, cost and examples of a plan that was not kept"),
)

policy_values = Table(
    "policy_values",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("policy", Text, primary_key=True, comment="as_logged, random_hour, modal_hour or global_hour"),
    Column("estimator", Text, primary_key=True, comment="ips, snips, dr or experiment"),
    Column("metric", Text, primary_key=True, comment="click: human clicks per send within 24 hours"),
    Column("sends", Integer, nullable=False),
    Column("left_out", Integer, nullable=False, comment="chosen sends that cannot be valued"),
    Column("effective_sample_size", Double),
    Column("value", Double),
    Column("ci_low", Double),
    Column("ci_high", Double),
    Column("difference", Double, comment="as_logged less this policy"),
    Column("difference_low", Double),
    Column("difference_high", Double),
    Column("verdict", Text, nullable=False, comment="a sentence"),
    Column("includes_generated", Boolean, nullable=False),
)

# --- delivery ----------------------------------------------------------------------------------------------------

messages = Table(
    "messages",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("campaign_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("send_date", Date, nullable=False),
    Column("business_date", Date, nullable=False, comment="the night that planned it"),
    _instant("send_at", nullable=False),
    _instant("not_after", nullable=False),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("claimed_by", Text, comment="the delivery run that holds it"),
    _instant("claimed_at"),
    _instant("sent_at"),
    Column(
        "address_hash", Text, comment="of the address it was last claimed for, as in suppressions; null: never claimed"
    ),
    Column("error", Text),
    Column("content", JSONB, nullable=False, comment='{"items": [{item_id, strategy, reason_item_id}], "template"}'),
    _money("cost", nullable=False, server_default="0"),
    UniqueConstraint("campaign_id", "customer_id", "channel", "send_date"),
    _one_of("state", MESSAGE_STATES),
    Index(None, "state", "send_at"),
    Index(None, "business_date"),
    Index(None, "customer_id", "send_at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", Text, primary_key=True, comment="sha256 of the normalised address; never the address"),
    Column("channel", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    _instant("since", nullable=False, comment="when the ground for it occurred"),
    _instant("released_at", comment="an operator's release: only a ground later than this suppresses again"),
)
"""By the hashes of the view ``addresses`` (customer_id, channel, address, address_hash), which alone says what an
address is and how it is hashed."""

# --- reporting ---------------------------------------------------------------------------------------------------

campaign_results = Table(
    "campaign_results",
    metadata,
    Column("business_date", Date, primary_key=True, comment="figures up to the end of this date"),
    Column("campaign_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True, comment="email, app_push, or all"),
    Column("arm", Text, primary_key=True),
    Column("assigned", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("opened", Integer, nullable=False),
    Column("clicked", Integer, nullable=False),
    Column("unsubscribed", Integer, nullable=False),
    Column("bounced", Integer, nullable=False),
    Column("orders", Integer, nullable=False),
    _total("revenue", nullable=False),
    _total("margin", nullable=False),
    _total("cost", nullable=False),
    Column("click_rate", Double),
    Column("click_rate_low", Double),
    Column("click_rate_high", Double),
    Column("includes_generated", Boolean, nullable=False, comment="some of it is made by the generator, not by people"),
)

campaign_lift = Table(
    "campaign_lift",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("campaign_id", Text, primary_key=True, comment="a campaign, or all: global holdout against everyone else"),
    Column("metric", Text, primary_key=True),
    Column("treated_n", Integer, nullable=False),
    Column("treated_mean", Double),
    Column("control_n", Integer, nullable=False),
    Column("control_mean", Double),
    Column("difference", Double),
    Column("ci_low", Double),
    Column("ci_high", Double),
    Column("p_value", Double),
    Column("srm_p_value", Double),
    Column("verdict", Text, nullable=False),
    Column("includes_generated", Boolean, nullable=False),
)

campaign_roi = Table(
    "campaign_roi",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("campaign_id", Text, primary_key=True),
    _total("incremental_margin"),
    _total("cost", nullable=False),
    Column("roi", Double),
    Column("roi_low", Double),
    Column("roi_high", Double),
    _total("attributed_revenue", nullable=False, comment="last touch; not causal"),
    Column("verdict", Text, nullable=False),
    Column("includes_generated", Boolean, nullable=False),
)

DATED_TABLES: tuple[Table, ...] = (
    quality_results,
    customer_features,
    item_features,
    recommendations,
    message_decisions,
    policy_values,
    campaign_results,
    campaign_lift,
    campaign_roi,
)
"""Tables with rows per business date; a view ``current_<name>`` shows the latest date."""

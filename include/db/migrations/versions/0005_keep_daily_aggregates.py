"""Keep daily aggregates and running totals, so that a night of features costs what its day brought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The one place that says which events features, models and reports count.
COUNTED_EVENTS = """
create view marketing.counted_events as
select events.*
from marketing.events
where not exists (
    select from marketing.feature_exclusions where feature_exclusions.event_id = events.event_id
)
"""

# Left joins on keys: a reader that asks for no id does not pay for them.
INTERACTIONS = """
create view marketing.interactions as
select
    feature_customers.customer_id,
    feature_items.item_id,
    feature_state.business_date,
    cast(interaction_totals.weight as double precision)
    * power(
        cast(2 as double precision),
        (feature_state.landmark - feature_state.business_date) / feature_state.half_life_days
    ) as weight,
    interaction_totals.purchase_days,
    interaction_totals.last_occurred_at
from marketing.interaction_totals
cross join marketing.feature_state
left join marketing.feature_customers using (customer_no)
left join marketing.feature_items using (item_no)
where interaction_totals.weight > 0
"""

CURRENT_CUSTOMER_FEATURES = """
create view marketing.current_customer_features as
select * from marketing.customer_features
where business_date = (select max(business_date) from marketing.customer_features)
"""

TEXTS = ("favourite_brands", "devices", "channels", "search_terms")
SHARES = ("category_shares", "brand_shares", "device_shares", "channel_shares", "weekday_hours", "weekend_hours")
FIGURES = {
    "mean_interval_days": "between purchase days of the window; null: fewer than two",
    "median_interval_days": None,
}
TABLES = (
    "feature_state",
    "feature_exclusions",
    "feature_customers",
    "feature_items",
    "daily_interactions",
    "daily_activity",
    "daily_habits",
    "daily_prices",
    "interaction_totals",
    "item_totals",
    "item_prices",
    "customer_totals",
    "customer_hours",
    "customer_tastes",
    "customer_shares",
)


def _integer(name: str, comment: str | None = None) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def _number(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def _text(name: str, comment: str | None = None, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _day(name: str, comment: str | None = None) -> sa.Column:
    return sa.Column(name, sa.Date(), nullable=False, comment=comment)


def _instant(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _numeric(name: str, comment: str | None = None, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Numeric(), nullable=nullable, comment=comment)


def _price(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Numeric(precision=14, scale=4), nullable=nullable)


def _make(name: str, *columns: sa.Column, key: tuple[str, ...] = (), unique: str | None = None) -> None:
    constraints: list[sa.Constraint] = []
    if key:
        constraints.append(sa.PrimaryKeyConstraint(*key, name=op.f(f"{name}_pkey")))
    if unique:
        constraints.append(sa.UniqueConstraint(unique, name=op.f(f"{name}_{unique}_key")))
    if name == "feature_state":
        constraints.append(sa.CheckConstraint("is_only", name=op.f("feature_state_only_check")))
    op.create_table(name, *columns, *constraints, schema="marketing")
    if name.startswith("daily_"):
        op.create_index(op.f(f"{name}_business_day_idx"), name, ["business_day"], schema="marketing")


def upgrade() -> None:
    op.execute("drop view marketing.current_customer_features")
    for name in TEXTS:
        op.add_column(
            "customer_features",
            sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
            schema="marketing",
        )
    for name in SHARES:
        op.add_column(
            "customer_features",
            sa.Column(name, postgresql.ARRAY(sa.Double()), server_default="{}", nullable=False),
            schema="marketing",
        )
    for name, comment in FIGURES.items():
        op.add_column("customer_features", sa.Column(name, sa.Double(), comment=comment), schema="marketing")
    op.execute(CURRENT_CUSTOMER_FEATURES)
    _make_ground()
    _make_days()
    _make_totals()
    op.drop_table("interactions", schema="marketing")  # the next build fills the totals
    op.execute(INTERACTIONS)
    op.execute(COUNTED_EVENTS)


def _make_ground() -> None:
    _make(
        "feature_state",
        sa.Column("is_only", sa.Boolean(), server_default="true", nullable=False),
        _day("business_date", "up to the end of which the totals count"),
        _day("landmark", "the day whose events have a decay of 1"),
        sa.Column("half_life_days", sa.Double(), nullable=False),
        sa.Column(
            "newest_file_id", sa.BigInteger(), nullable=False, comment="loads up to this one are in the daily tables"
        ),
        _text("daily_fingerprint", "of the settings the daily tables depend on"),
        _text("totals_fingerprint", "of the settings the totals depend on"),
        key=("is_only",),
    )
    _make(
        "feature_exclusions",
        sa.Column("event_id", sa.Text(collation="C"), nullable=False),
        _day("utc_day"),
        key=("event_id",),
    )
    _make(
        "feature_customers",
        _number("customer_no"),
        _text("customer_id"),
        _text("time_zone", "whose hours daily_activity has"),
        key=("customer_no",),
        unique="customer_id",
    )
    _make(
        "feature_items",
        _number("item_no"),
        _text("item_id"),
        _text("category", "as customer_tastes counts it", nullable=True),
        _text("brand", "as customer_tastes counts it", nullable=True),
        key=("item_no",),
        unique="item_id",
    )


def _make_days() -> None:
    _make(
        "daily_interactions",
        _day("business_day"),
        _integer("customer_no"),
        _integer("item_no"),
        sa.Column("type_no", sa.SmallInteger(), nullable=False, comment="place in EVENT_TYPES, from 1"),
        _instant("last_occurred_at", nullable=False),
    )
    _make(
        "daily_activity",
        _day("business_day"),
        _integer("customer_no"),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
        sa.Column("is_weekend", sa.Boolean(), nullable=False, comment="by the customer's own date"),
        _instant("first_purchase_at"),
        _instant("last_purchase_at"),
        _numeric("amount", "bought less returned", nullable=True),
    )
    _make(
        "daily_habits",
        _day("business_day"),
        _integer("customer_no"),
        _text("kind", "device, channel or search"),
        _text("value"),
    )
    _make(
        "daily_prices",
        _day("business_day"),
        _integer("item_no"),
        _price("unit_price"),
        _integer("lines", "purchases at this price"),
    )


def _make_totals() -> None:
    _make(
        "interaction_totals",
        _number("customer_no"),
        _number("item_no"),
        _numeric("weight", "in the decay of the landmark"),
        _numeric("window_decay", "of purchase days in the profile window"),
        _integer("event_days", "distinct event types and days"),
        _integer("purchase_days"),
        _integer("window_purchase_days"),
        _instant("last_occurred_at", nullable=False),
        key=("customer_no", "item_no"),
    )
    op.create_index(op.f("interaction_totals_item_no_idx"), "interaction_totals", ["item_no"], schema="marketing")
    _make(
        "item_totals",
        _number("item_no"),
        _integer("event_days"),
        _integer("buyers"),
        _integer("purchase_days"),
        _numeric("popularity", "in the decay of the landmark"),
        _instant("last_purchase_at"),
        _price("median_price", nullable=True),
        sa.Column("price_permille", sa.Integer(), comment="place of its price among its category's purchases"),
        key=("item_no",),
    )
    _make("item_prices", _number("item_no"), _price("unit_price"), _integer("lines"), key=("item_no", "unit_price"))
    _make(
        "customer_totals",
        _number("customer_no"),
        _integer("event_hours", "distinct hours with an event"),
        _integer("purchase_days", "of all history"),
        _instant("first_purchase_at"),
        _instant("last_purchase_at"),
        _numeric("amount", "of all history"),
        _numeric("window_amount"),
        sa.Column("window_purchase_dates", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column(
            "price_points", sa.BigInteger(), nullable=False, comment="sum of price_permille over window purchase days"
        ),
        _integer("priced_days"),
        key=("customer_no",),
    )
    _make(
        "customer_hours",
        _number("customer_no"),
        sa.Column("is_weekend", sa.Boolean(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), autoincrement=False, nullable=False),
        _integer("days", "in the profile window"),
        _numeric("weight", "of these days, in the decay of the landmark"),
        key=("customer_no", "is_weekend", "local_hour"),
    )
    _make(
        "customer_tastes",
        _number("customer_no"),
        _text("kind", "category, brand, device, channel or search"),
        _text("value"),
        _integer("days", "in the profile window"),
        _numeric("weight", "of these days, in the decay of the landmark"),
        key=("customer_no", "kind", "value"),
    )
    arrays = {
        "active_hours": sa.Double(),
        "weekday_hours": sa.Double(),
        "weekend_hours": sa.Double(),
        "preferred_categories": sa.Text(),
        "category_shares": sa.Double(),
        "favourite_brands": sa.Text(),
        "brand_shares": sa.Double(),
        "devices": sa.Text(),
        "device_shares": sa.Double(),
        "channels": sa.Text(),
        "channel_shares": sa.Double(),
        "search_terms": sa.Text(),
    }
    _make(
        "customer_shares",
        _number("customer_no"),
        *(sa.Column(name, postgresql.ARRAY(kind), nullable=False) for name, kind in arrays.items()),
        sa.Column("median_interval_days", sa.Double()),
        key=("customer_no",),
    )


def downgrade() -> None:
    op.execute("drop view marketing.interactions")
    op.execute("drop view marketing.counted_events")
    op.create_table(
        "interactions",
        _text("customer_id"),
        _text("item_id"),
        _day("business_date", "the date this table was built for; one for all rows"),
        sa.Column(
            "weight", sa.Double(), nullable=False, comment="event weights by distinct day, decayed to the business date"
        ),
        _integer("purchase_days"),
        _instant("last_occurred_at", nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "item_id", name=op.f("interactions_pkey")),
        schema="marketing",
    )
    for name in TABLES:
        op.drop_table(name, schema="marketing")
    op.execute("drop view marketing.current_customer_features")
    for name in (*TEXTS, *SHARES, *FIGURES):
        op.drop_column("customer_features", name, schema="marketing")
    op.execute(CURRENT_CUSTOMER_FEATURES)

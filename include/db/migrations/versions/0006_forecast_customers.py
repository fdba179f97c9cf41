"""Say of each customer the stage of life, the chance to leave and what they are likely to spend."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CURRENT_CUSTOMER_FEATURES = """
create view marketing.current_customer_features as
select * from marketing.customer_features
where business_date = (select max(business_date) from marketing.customer_features)
"""


def _outlook() -> list[sa.Column]:
    return [
        sa.Column("lifecycle_stage", sa.Text()),
        sa.Column("churn_probability", sa.Double(), comment="of no order in the next forecast_days"),
        sa.Column("expected_orders", sa.Double(), comment="purchase days in the next forecast_days"),
        sa.Column("expected_value", sa.Numeric(24, 4), comment="revenue of the next forecast_days"),
        sa.Column(
            "discount_sensitivity", sa.Double(), comment="share of bargains among the purchases that could be one"
        ),
    ]


def _bargain_columns() -> list[tuple[str, sa.Column]]:
    return [
        (
            "daily_interactions",
            sa.Column("unit_price", sa.Numeric(14, 4), comment="the lowest paid; of purchases"),
        ),
        (
            "item_totals",
            sa.Column("bargain_price", sa.Numeric(), comment="at or below it, a bargain; null: never sold so low"),
        ),
        (
            "customer_totals",
            sa.Column("bargain_days", sa.Integer(), server_default="0", nullable=False, comment="of comparable_days"),
        ),
        (
            "customer_totals",
            sa.Column(
                "comparable_days",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="× item with a bargain price",
            ),
        ),
    ]


def upgrade() -> None:
    op.execute("drop view marketing.current_customer_features")
    for column in _outlook():
        op.add_column("customer_features", column, schema="marketing")
    op.execute(CURRENT_CUSTOMER_FEATURES)
    for table, column in _bargain_columns():
        op.add_column(table, column, schema="marketing")
    op.create_index(
        op.f("daily_interactions_item_no_unit_price_idx"),
        "daily_interactions",
        ["item_no", "unit_price"],
        schema="marketing",
        postgresql_where=sa.text("unit_price is not null"),
    )
    op.execute("delete from marketing.feature_state")  # the next build reads all events, for their prices


def downgrade() -> None:
    op.drop_index("daily_interactions_item_no_unit_price_idx", "daily_interactions", schema="marketing")
    for table, column in _bargain_columns():
        op.drop_column(table, column.name, schema="marketing")
    op.execute("drop view marketing.current_customer_features")
    for column in _outlook():
        op.drop_column("customer_features", column.name, schema="marketing")
    op.execute(CURRENT_CUSTOMER_FEATURES)

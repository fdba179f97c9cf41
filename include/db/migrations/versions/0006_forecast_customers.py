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
    ]


def upgrade() -> None:
    op.execute("drop view marketing.current_customer_features")
    for column in _outlook():
        op.add_column("customer_features", column, schema="marketing")
    op.execute(CURRENT_CUSTOMER_FEATURES)


def downgrade() -> None:
    op.execute("drop view marketing.current_customer_features")
    for column in _outlook():
        op.drop_column("customer_features", column.name, schema="marketing")
    op.execute(CURRENT_CUSTOMER_FEATURES)

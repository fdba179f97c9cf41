"""Tell of a campaign's second message to a customer, on the other channel, beside the first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SCHEMA = "marketing"
TABLE = "message_decisions"

LATEST = """
create view marketing.current_message_decisions as
select * from marketing.message_decisions
where business_date = (select max(business_date) from marketing.message_decisions)
"""


def _columns() -> list[sa.Column]:
    return [
        sa.Column(
            "second_channel",
            sa.Text(),
            comment="of a second message beside the first, which the others tell of; null: none",
        ),
        sa.Column("second_send_at", sa.DateTime(timezone=True)),
        sa.Column("second_propensity", sa.Double(), comment="of its hour; its channel was the one left"),
        sa.Column("second_slot_probabilities", JSONB()),
        sa.Column("second_expected_value", sa.Double()),
        sa.Column(
            "second_value_terms", JSONB(), comment="as value_terms; unclicked: how likely the first is not clicked"
        ),
        sa.Column("second_explored", sa.Boolean()),
    ]


def upgrade() -> None:
    # A view of all columns knows those that there were when it was made.
    op.execute("drop view marketing.current_message_decisions")
    for column in _columns():
        op.add_column(TABLE, column, schema=SCHEMA)
    op.execute(LATEST)


def downgrade() -> None:
    op.execute("drop view marketing.current_message_decisions")
    for column in reversed(_columns()):
        op.drop_column(TABLE, column.name, schema=SCHEMA)
    op.execute(LATEST)

"""Keep what send times are chosen from: one model per date and channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "send_time_models",
        sa.Column("business_date", sa.Date(), primary_key=True),
        sa.Column("channel", sa.Text(), primary_key=True),
        sa.Column(
            "parameters", JSONB(), nullable=False, comment="segments by name, and what is common to all customers"
        ),
        schema="marketing",
    )


def downgrade() -> None:
    op.drop_table("send_time_models", schema="marketing")

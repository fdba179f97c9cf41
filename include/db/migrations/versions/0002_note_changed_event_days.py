"""Note the days whose events changed, so that a night computes those alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "changed_event_days",
        sa.Column("utc_day", sa.Date(), autoincrement=False, nullable=False, comment="of the events' occurred_at"),
        sa.Column(
            "file_id",
            sa.BigInteger(),
            nullable=False,
            comment="the newest file whose load added, replaced or took away events",
        ),
        sa.PrimaryKeyConstraint("utc_day", name=op.f("changed_event_days_pkey")),
        schema="marketing",
    )
    # Whatever is there now has never been noted.
    op.execute(
        "insert into marketing.changed_event_days (utc_day, file_id) "
        "select cast(occurred_at at time zone 'UTC' as date), max(file_id) from marketing.events group by 1"
    )


def downgrade() -> None:
    op.drop_table("changed_event_days", schema="marketing")

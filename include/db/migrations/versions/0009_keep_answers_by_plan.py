"""Keep a person's answers by the plan they were given for, and find a former tool's recent sends."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SCHEMA = "marketing"
TABLE = "campaign_approvals"
PRIMARY_KEY = "campaign_approvals_pkey"


def upgrade() -> None:
    op.add_column(
        TABLE, sa.Column("preview_key", sa.Text(), comment="names the plan, by what was shown"), schema=SCHEMA
    )
    op.add_column(
        TABLE,
        sa.Column("is_current", sa.Boolean(), comment="the campaign's messages of the night follow this answer"),
        schema=SCHEMA,
    )
    _name_what_is_asked()
    for column in ("preview_key", "is_current"):
        op.alter_column(TABLE, column, nullable=False, schema=SCHEMA)
    op.drop_constraint(op.f(PRIMARY_KEY), TABLE, schema=SCHEMA)
    op.create_primary_key(op.f(PRIMARY_KEY), TABLE, ["business_date", "campaign_id", "preview_key"], schema=SCHEMA)
    op.create_index(op.f("message_history_sent_at_idx"), "message_history", ["sent_at"], schema=SCHEMA)


def _name_what_is_asked() -> None:
    """Questions that stand open were asked under this key: their answers must find them."""
    approvals = sa.table(
        TABLE,
        sa.column("business_date", sa.Date()),
        sa.column("campaign_id", sa.Text()),
        sa.column("preview", JSONB()),
        sa.column("preview_key", sa.Text()),
        sa.column("is_current", sa.Boolean()),
        schema=SCHEMA,
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(approvals)).all():
        key = hashlib.sha256(json.dumps(row.preview, sort_keys=True).encode()).hexdigest()[:16]
        connection.execute(
            sa.update(approvals)
            .where(approvals.c.business_date == row.business_date, approvals.c.campaign_id == row.campaign_id)
            .values(preview_key=key, is_current=True)
        )


def downgrade() -> None:
    op.drop_index(op.f("message_history_sent_at_idx"), "message_history", schema=SCHEMA)
    op.execute("delete from marketing.campaign_approvals where not is_current")
    op.drop_constraint(op.f(PRIMARY_KEY), TABLE, schema=SCHEMA)
    op.create_primary_key(op.f(PRIMARY_KEY), TABLE, ["business_date", "campaign_id"], schema=SCHEMA)
    for column in ("is_current", "preview_key"):
        op.drop_column(TABLE, column, schema=SCHEMA)

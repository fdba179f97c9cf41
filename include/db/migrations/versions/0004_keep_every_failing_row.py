"""Keep every row that fails a quality rule, and show which events are set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A row that a later file replaced has another file_id, and is no longer set aside.
EXCLUDED_EVENTS = """
create view marketing.excluded_events as
select
    failures.row_key as event_id,
    min(failures.business_date) as business_date,
    string_agg(distinct failures.reason, '; ' order by failures.reason) as reason
from marketing.quality_failures as failures
inner join marketing.events
    on events.event_id = failures.row_key
    and events.file_id = failures.file_id
    and events.row_number = failures.row_number
where failures.table_name = 'events' and failures.is_set_aside
group by failures.row_key
"""


def upgrade() -> None:
    op.create_table(
        "quality_failures",
        sa.Column("quality_failure_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False, comment="the night that judged the row"),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, comment="as column_name in quality_results"),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False, comment="the row's key; parts joined by a bar"),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="completes: this row ..."),
        sa.Column(
            "is_set_aside", sa.Boolean(), nullable=False, comment="the row is in excluded_events: not to be used"
        ),
        sa.PrimaryKeyConstraint("quality_failure_id", name=op.f("quality_failures_pkey")),
        schema="marketing",
    )
    op.create_index(
        op.f("quality_failures_business_date_table_name_rule_idx"),
        "quality_failures",
        ["business_date", "table_name", "rule"],
        unique=False,
        schema="marketing",
    )
    op.create_index(
        op.f("quality_failures_file_id_idx"), "quality_failures", ["file_id"], unique=False, schema="marketing"
    )
    op.create_index(
        "quality_failures_set_aside_idx",
        "quality_failures",
        ["row_key"],
        unique=False,
        schema="marketing",
        postgresql_where=sa.text("is_set_aside"),
    )
    op.execute(EXCLUDED_EVENTS)


def downgrade() -> None:
    op.execute("drop view marketing.excluded_events")
    op.drop_index("quality_failures_set_aside_idx", table_name="quality_failures", schema="marketing")
    op.drop_index(op.f("quality_failures_file_id_idx"), table_name="quality_failures", schema="marketing")
    op.drop_index(
        op.f("quality_failures_business_date_table_name_rule_idx"), table_name="quality_failures", schema="marketing"
    )
    op.drop_table("quality_failures", schema="marketing")

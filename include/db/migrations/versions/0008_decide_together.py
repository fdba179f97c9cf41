"""Make room for audiences, budgets, approvals, and what decisions made together log and are worth."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "marketing"
WIDENED = ("item_features", "message_decisions")
VIEWS = {
    "item_features": """
create view marketing.current_item_features as
select * from marketing.item_features
where business_date = (select max(business_date) from marketing.item_features)
""",
    "message_decisions": """
create view marketing.current_message_decisions as
select * from marketing.message_decisions
where business_date = (select max(business_date) from marketing.message_decisions)
""",
    "policy_values": """
create view marketing.current_policy_values as
select * from marketing.policy_values
where business_date = (select max(business_date) from marketing.policy_values)
""",
}
FORMER_DECISIONS = (
    "scheduled",
    "held_out",
    "control",
    "no_consent",
    "no_address",
    "suppressed",
    "capped",
    "quiet_hours",
    "no_capacity",
    "nothing_to_say",
    "not_in_audience",
)
NEW_DECISIONS = ("over_budget", "not_worth_sending", "not_approved")
FORMER_STATES = ("planned", "sending", "sent", "failed", "unknown", "expired", "cancelled")


def _columns() -> list[tuple[str, sa.Column]]:
    return [
        (
            "campaigns",
            sa.Column(
                "audience_filter", sa.Text(), comment="over customer_features, such as: recency >= 30 and frequency > 2"
            ),
        ),
        (
            "campaigns",
            sa.Column(
                "trigger", sa.Text(), comment="an occasion in the customer's life, such as abandoned_cart; null: none"
            ),
        ),
        (
            "campaigns",
            sa.Column("daily_budget", sa.Numeric(14, 4), comment="what all messages of a day may cost; null: no limit"),
        ),
        (
            "item_features",
            sa.Column("list_price", sa.Numeric(14, 4), comment="as the catalogue said when this date was built"),
        ),
        ("item_features", sa.Column("in_stock", sa.Boolean(), comment="likewise")),
        (
            "message_decisions",
            sa.Column(
                "policy",
                sa.Text(),
                comment="how it was drawn: chosen, or random_hour for a control; null: no message",
            ),
        ),
        (
            "message_decisions",
            sa.Column("is_ghost", sa.Boolean(), comment="of a control: a message would have gone; null: not a control"),
        ),
        (
            "message_decisions",
            sa.Column("value_terms", JSONB(), comment="what expected_value is made of: rate, margin, cost, fatigue"),
        ),
    ]


def _one_of(table: str, column: str, allowed: tuple[str, ...]) -> None:
    name = op.f(f"{table}_{column}_check")
    op.execute(f"alter table marketing.{table} drop constraint if exists {name}")
    condition = f"{column} in ({', '.join(repr(value) for value in allowed)})"
    op.create_check_constraint(name, table, condition, schema=SCHEMA)


def _show(*views: str) -> None:
    for view in views:
        op.execute(VIEWS[view])


def _hide(*views: str) -> None:
    for view in views:
        op.execute(f"drop view marketing.current_{view}")


def upgrade() -> None:
    _hide(*WIDENED)
    for table, column in _columns():
        op.add_column(table, column, schema=SCHEMA)
    op.alter_column(
        "message_decisions",
        "slot_probabilities",
        existing_type=JSONB(),
        comment="channel → local hour → probability, whole",
        existing_comment="local hour → probability, whole",
        schema=SCHEMA,
    )
    _one_of("message_decisions", "decision", (*FORMER_DECISIONS, *NEW_DECISIONS))
    _one_of("message_decisions", "policy", ("chosen", "random_hour"))
    _one_of("messages", "state", ("awaiting_approval", *FORMER_STATES))
    _create_models_and_approvals()
    _create_policy_values()
    _show(*WIDENED, "policy_values")


def _create_models_and_approvals() -> None:
    op.create_table(
        "response_models",
        sa.Column("business_date", sa.Date(), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True, comment="what is learned of all customers, such as fatigue"),
        sa.Column("channel", sa.Text(), primary_key=True),
        sa.Column("parameters", JSONB(), nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "campaign_approvals",
        sa.Column("business_date", sa.Date(), primary_key=True, comment="the night whose plan waits"),
        sa.Column("campaign_id", sa.Text(), primary_key=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("preview", JSONB(), nullable=False, comment="what the person who decides was shown"),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("answered_by", sa.Text()),
        sa.CheckConstraint(
            "status in ('waiting', 'approved', 'refused', 'timed_out')", name=op.f("campaign_approvals_status_check")
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "plan_previews",
        sa.Column("business_date", sa.Date(), primary_key=True),
        sa.Column("campaign_id", sa.Text(), primary_key=True, comment="or all"),
        sa.Column(
            "preview", JSONB(), nullable=False, comment="counts, hours, cost and examples of a plan that was not kept"
        ),
        schema=SCHEMA,
    )


def _create_policy_values() -> None:
    op.create_table(
        "policy_values",
        sa.Column("business_date", sa.Date(), primary_key=True),
        sa.Column("policy", sa.Text(), primary_key=True, comment="as_logged, random_hour, modal_hour or global_hour"),
        sa.Column("estimator", sa.Text(), primary_key=True, comment="ips, snips, dr or experiment"),
        sa.Column("metric", sa.Text(), primary_key=True, comment="click: human clicks per send within 24 hours"),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False, comment="chosen sends that cannot be valued"),
        sa.Column("effective_sample_size", sa.Double()),
        sa.Column("value", sa.Double()),
        sa.Column("ci_low", sa.Double()),
        sa.Column("ci_high", sa.Double()),
        sa.Column("difference", sa.Double(), comment="as_logged less this policy"),
        sa.Column("difference_low", sa.Double()),
        sa.Column("difference_high", sa.Double()),
        sa.Column("verdict", sa.Text(), nullable=False, comment="a sentence"),
        sa.Column("includes_generated", sa.Boolean(), nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    _hide(*WIDENED, "policy_values")
    for table in ("policy_values", "plan_previews", "campaign_approvals", "response_models"):
        op.drop_table(table, schema=SCHEMA)
    for table, column in reversed(_columns()):
        op.drop_column(table, column.name, schema=SCHEMA)
    op.execute(
        "delete from marketing.message_decisions where decision in ('over_budget', 'not_worth_sending', 'not_approved')"
    )
    op.execute("update marketing.messages set state = 'cancelled' where state = 'awaiting_approval'")
    op.alter_column(
        "message_decisions",
        "slot_probabilities",
        existing_type=JSONB(),
        comment="local hour → probability, whole",
        existing_comment="channel → local hour → probability, whole",
        schema=SCHEMA,
    )
    _one_of("message_decisions", "decision", FORMER_DECISIONS)
    _one_of("messages", "state", FORMER_STATES)
    _show(*WIDENED)

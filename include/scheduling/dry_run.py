"""A night planned to be looked at: the same plan by the same code, none of which is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, delete, insert, select

from include.db.tables import EVERY_CAMPAIGN, plan_previews
from include.scheduling.plan import plan_night
from include.scheduling.preview import Preview, preview_from, read_previews
from include.settings import Settings


@dataclass(frozen=True)
class DryRunSummary:
    """What ``preview_messages`` would have planned. Money is in the shop's currency."""

    business_date: str
    send_date: str
    campaigns: int
    candidates: int
    messages: int
    """Those that delivery has already taken up count, too: a plan keeps them."""
    messages_awaiting_approval: int
    cost: float
    expected_value: float
    decisions: dict[str, int]
    gap: float
    """As ``ScheduleSummary.gap``."""


def preview_messages(engine: Engine, settings: Settings, *, business_date: date) -> DryRunSummary:
    """Plan the night after ``business_date``, write what came out to ``plan_previews``, and take the plan back.

    Messages, decisions and holdouts stay as they are: the transaction that held the plan is rolled back. While it
    lasts, another plan waits. Delivery goes on while the night is read and decided, and passes over its messages for
    the moments that the plan takes their place. Raises what ``schedule_messages`` raises.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        plan = plan_night(connection, settings, business_date, locking=False)
        previews = read_previews(connection, settings, business_date)
        transaction.rollback()
    with engine.begin() as connection:
        connection.execute(delete(plan_previews).where(plan_previews.c.business_date == business_date))
        connection.execute(
            insert(plan_previews),
            [
                {"business_date": business_date, "campaign_id": preview.campaign_id, "preview": preview.as_json()}
                for preview in previews
            ],
        )
    everything = previews[0]
    return DryRunSummary(
        business_date=plan.business_date,
        send_date=plan.send_date,
        campaigns=plan.campaigns,
        candidates=plan.candidates,
        messages=everything.messages,
        messages_awaiting_approval=everything.awaiting_approval,
        cost=everything.cost,
        expected_value=everything.expected_value,
        decisions=everything.decisions,
        gap=plan.gap,
    )


def read_plan_previews(engine: Engine, business_date: date) -> list[Preview]:
    """The last preview of a night: all campaigns together, then each, the largest first; empty if there is none."""
    with engine.connect() as connection:
        stored = connection.execute(
            select(plan_previews.c.preview).where(plan_previews.c.business_date == business_date)
        ).scalars()
        previews = [preview_from(preview) for preview in stored]
    return sorted(previews, key=lambda one: (one.campaign_id != EVERY_CAMPAIGN, -one.messages, one.campaign_id))

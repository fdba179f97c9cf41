"""Decide for every customer and plan the next day's messages, in one transaction."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date
from math import ceil

import numpy as np
from sqlalchemy import Column, Connection, Engine, MetaData, Table

from include.db.copy import copy_in
from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import DECISIONS, message_decisions
from include.scheduling.answers import Settled, ask_about_plan, settle_answers
from include.scheduling.decide import decide
from include.scheduling.ledger import decision_rows, message_rows
from include.scheduling.night import Night
from include.scheduling.outcome import Outcome
from include.scheduling.read_night import read_night
from include.settings import SchedulingSettings, Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.scheduling"
"""Two runs never plan at once."""
REMEMBERED_HALF_LIVES = 6
"""Of ``shown_half_life_days``: what is left of the penalty after these is below a sixtieth."""
_PLANNED_MESSAGES = Table("planned_messages", MetaData(), Column("message_id"))


@dataclass(frozen=True)
class ScheduleSummary:
    """What ``schedule_messages`` decided."""

    business_date: str
    send_date: str
    campaigns: int
    candidates: int
    decisions: dict[str, int]
    """Candidates by decision; those whose message is kept count as scheduled."""
    messages_planned: int
    messages_awaiting_approval: int
    """Of those planned: they wait for a person."""
    messages_kept: int
    """Already taken up by delivery, or the other message of their decisions, so left as they were."""
    messages_repaired: int
    """Moved from the drawn hour for want of room."""
    gap: float
    """At most this share of the value is missed by who was admitted to scarce hours and budgets; 0: by none of it."""


def schedule_messages(engine: Engine, settings: Settings, *, business_date: date) -> ScheduleSummary:
    """Write ``message_decisions``, ``messages`` and ``holdouts`` of the night after ``business_date``.

    The day after is planned, as a calendar day of each customer's own zone. Every customer of ``customer_features`` of
    the date × every campaign in force gets one decision; consents and suppressions are judged as of the end of the
    date. Messages of a campaign that requires approval await it, and keep their place in caps and capacities meanwhile.
    Run again, messages still ``planned`` or awaiting approval are written anew; those that delivery has taken up stay,
    with their decisions and the other messages of these. What a person approved holds for the same plan alone, a
    refusal for the whole night.
    Raises ValueError for a campaign that cannot be understood, or when features or profiles are missing.
    """
    with engine.begin() as connection:
        return plan_night(connection, settings, business_date, locking=True)


def plan_night(connection: Connection, settings: Settings, business_date: date, *, locking: bool) -> ScheduleSummary:
    """``schedule_messages`` within the caller's transaction, which another plan of any night waits for.

    locking: delivery takes up nothing of the night meanwhile; without it the plan must be taken back.
    """
    started = time.perf_counter()
    lock(connection, LOCK_NAME)
    night = read_night(connection, settings, business_date, locking=locking)
    read = time.perf_counter()
    outcome = decide(night, settings.scheduling)
    decided = time.perf_counter()
    _replace_plan(connection, night, outcome, settings.scheduling)
    ask_about_plan(connection, settings, business_date)
    settled = settle_answers(connection, business_date)
    summary = _summary(night, outcome, settled)
    logger.info(
        "Decided on %s candidates of %s campaigns for %s in %.1f s (read %.1f s, decided %.1f s): "
        "%s messages planned, %s kept; at most %.4f%% of the value short of the best possible",
        summary.candidates,
        summary.campaigns,
        night.send_date,
        time.perf_counter() - started,
        read - started,
        decided - read,
        summary.messages_planned,
        summary.messages_kept,
        100 * summary.gap,
    )
    return summary


def _summary(night: Night, outcome: Outcome, settled: Settled) -> ScheduleSummary:
    counts = np.bincount(outcome.decision[~outcome.is_kept], minlength=len(DECISIONS))
    counts[DECISIONS.index("scheduled")] += night.kept.decisions - settled.not_approved
    counts[DECISIONS.index("not_approved")] += settled.not_approved
    return ScheduleSummary(
        business_date=night.business_date.isoformat(),
        send_date=night.send_date.isoformat(),
        campaigns=len(night.campaigns),
        candidates=int(counts.sum()),
        decisions={name: int(count) for name, count in sorted(zip(DECISIONS, counts, strict=True)) if count},
        messages_planned=len(outcome.messages) - settled.cancelled,
        messages_awaiting_approval=settled.still_awaiting,
        messages_kept=len(night.kept),
        messages_repaired=int(outcome.messages.is_repaired.sum()),
        gap=outcome.gap,
    )


def _replace_plan(connection: Connection, night: Night, outcome: Outcome, scheduling: SchedulingSettings) -> None:
    bound = {"business_date": night.business_date, "send_date": night.send_date}
    # Messages first: which of them go is read from their decisions.
    for name in ("delete_plan_messages", "delete_plan_decisions"):
        connection.execute(statement(__file__, name), bound)
    for rows in decision_rows(night, outcome):
        copy_in(connection, message_decisions, rows)
    connection.execute(statement(__file__, "create_planned_messages"))
    for rows in message_rows(night, outcome):
        copy_in(connection, _PLANNED_MESSAGES, rows)
    told = {
        "campaigns": [campaign.campaign_id for campaign in night.campaigns],
        "purposes": [campaign.purpose for campaign in night.campaigns],
        "items": [campaign.items_per_message for campaign in night.campaigns],
        "temperature": scheduling.content_exploration,
        "penalty": scheduling.shown_penalty,
        "shown_half_life_days": scheduling.shown_half_life_days,
        "seed": f"{scheduling.seed} ",
    }
    remembered_days = ceil(REMEMBERED_HALF_LIVES * scheduling.shown_half_life_days)
    shown = bound | {"end_of_day": night.end_of_day, "remembered_days": remembered_days}
    connection.execute(statement(__file__, "create_shown_items"), shown)
    connection.execute(statement(__file__, "add_planned_messages"), bound | told)

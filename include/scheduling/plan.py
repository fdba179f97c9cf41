"""Decide for every candidate and plan the next day's messages, in one transaction."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from sqlalchemy import Connection, Engine, text

from include.business_time import day_bounds
from include.db.copy import copy_in
from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import message_decisions, messages
from include.scheduling.campaigns import read_campaigns
from include.scheduling.candidates import Night, read_customers, read_kept_messages
from include.scheduling.decisions import Decision, decide
from include.scheduling.holdouts import assign_holdout
from include.scheduling.policy import POLICY_VERSION
from include.settings import Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.scheduling"
"""Two runs never plan at once."""
MESSAGE_NAMESPACE = uuid.UUID("6a5d5c0e-3f0e-5c1e-9a53-0f6f1b0f7d11")
"""Fixed for ever: a message's id follows from what makes it unique."""


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
    messages_kept: int
    """Already taken up by delivery, so left as they were."""
    messages_repaired: int
    """Moved from the drawn hour for want of room."""


def message_id_of(campaign_id: str, customer_id: str, channel: str, send_date: date) -> str:
    """The id of the one message that campaign, customer, channel and day can have."""
    return str(uuid.uuid5(MESSAGE_NAMESPACE, json.dumps([campaign_id, customer_id, channel, send_date.isoformat()])))


def schedule_messages(engine: Engine, settings: Settings, *, business_date: date) -> ScheduleSummary:
    """Write ``message_decisions``, ``messages`` and ``holdouts`` of the night after ``business_date``.

    The day after is planned, as a calendar day of each customer's own zone. Every customer of ``customer_features`` of
    the date × every campaign in force gets one decision; consents and suppressions are judged as of the end of the
    date. Run again, messages still ``planned`` are written anew; those that delivery has taken up stay, with their
    decisions. Raises ValueError for a campaign that cannot be understood, or when features or profiles are missing.
    """
    started = time.perf_counter()
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        night = _read_night(connection, settings, business_date)
        decisions = decide(night, settings.scheduling)
        _replace_plan(connection, night, decisions)
    scheduled = [decision for decision in decisions if decision.decision == "scheduled"]
    counts = Counter(decision.decision for decision in decisions)
    counts["scheduled"] += len(night.kept)
    logger.info(
        "Decided on %s candidates of %s campaigns for %s in %.1f s: %s messages planned, %s kept",
        len(decisions) + len(night.kept),
        len(night.campaigns),
        night.send_date,
        time.perf_counter() - started,
        len(scheduled),
        len(night.kept),
    )
    return ScheduleSummary(
        business_date=business_date.isoformat(),
        send_date=night.send_date.isoformat(),
        campaigns=len(night.campaigns),
        candidates=len(decisions) + len(night.kept),
        decisions=dict(sorted(counts.items())),
        messages_planned=len(scheduled),
        messages_kept=len(night.kept),
        messages_repaired=sum(decision.propensity is None for decision in scheduled),
    )


def _read_night(connection: Connection, settings: Settings, business_date: date) -> Night:
    send_date = business_date + timedelta(days=1)
    # Locked until the plan is written: delivery takes up none of these messages meanwhile.
    connection.execute(
        text("select message_id from marketing.messages where business_date = :business_date for update"),
        {"business_date": business_date},
    )
    campaigns = read_campaigns(connection, settings.scheduling, send_date)
    customers, posteriors = read_customers(connection, settings, campaigns, business_date, send_date)
    return Night(
        business_date=business_date,
        send_date=send_date,
        end_of_day=day_bounds(business_date, settings.business_time_zone)[1],
        campaigns=campaigns,
        customers=customers,
        holdout=assign_holdout(
            connection,
            settings.scheduling,
            (customer.customer_id for customer in customers),
            business_date=business_date,
            send_date=send_date,
        ),
        posteriors=posteriors,
        kept=read_kept_messages(connection, business_date),
    )


def _replace_plan(connection: Connection, night: Night, decisions: Sequence[Decision]) -> None:
    connection.execute(statement(__file__, "delete_plan_decisions"), {"business_date": night.business_date})
    connection.execute(
        text("delete from marketing.messages where business_date = :business_date and state = 'planned'"),
        {"business_date": night.business_date},
    )
    copy_in(connection, message_decisions, _decision_rows(night, decisions))
    copy_in(connection, messages, _message_rows(night, decisions))


def _decision_rows(night: Night, decisions: Sequence[Decision]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "business_date": night.business_date,
                "campaign_id": decision.campaign.campaign_id,
                "customer_id": decision.customer_id,
                "arm": decision.arm,
                "decision": decision.decision,
                "reason": decision.reason,
                "channel": decision.channel,
                "send_at": decision.slot and decision.slot.send_at,
                "propensity": decision.propensity,
                "slot_probabilities": decision.slot_probabilities and json.dumps(decision.slot_probabilities),
                "expected_value": decision.expected_value,
                "explored": decision.explored,
                "policy_version": POLICY_VERSION,
            }
            for decision in decisions
        ]
    )


def _message_rows(night: Night, decisions: Sequence[Decision]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "message_id": message_id_of(
                    decision.campaign.campaign_id, decision.customer_id, decision.channel, night.send_date
                ),
                "campaign_id": decision.campaign.campaign_id,
                "customer_id": decision.customer_id,
                "channel": decision.channel,
                "send_date": night.send_date,
                "business_date": night.business_date,
                "send_at": decision.slot.send_at,
                "not_after": decision.slot.not_after,
                "state": "planned",
                "content": json.dumps({"template": decision.campaign.template, "items": decision.items}),
                "cost": decision.campaign.cost_per_message,
            }
            for decision in decisions
            if decision.channel is not None and decision.slot is not None
        ]
    )

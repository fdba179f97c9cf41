"""The sentences of the ledger, for every decision and every state a message can be in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from include.db.tables import DECISIONS, MESSAGE_STATES
from include.reporting.formats import DECISION_LABELS
from include.reporting.ledger import Entry

PLANNED = datetime(2017, 12, 1, 19, tzinfo=UTC)
NEXT_DAY = datetime(2017, 12, 2, 8, 30, tzinfo=UTC)
PLAN = "The message by email, planned for Fri 1 Dec 2017 19:00,"


def entry(decision: str = "scheduled", **fields: Any) -> Entry:
    known: dict[str, Any] = {"reason": "The log's own words.", "propensity": 0.042, "explored": True}
    if decision in ("scheduled", "not_approved"):
        known |= {"channel": "email", "send_at_local": PLANNED, "state": "sent", "sent_at_local": PLANNED}
    return Entry(date(2017, 11, 30), "c1", "Spring", decision, **known | fields)


def said(*arguments: Any, **fields: Any) -> str:
    return " ".join(entry(*arguments, **fields).sentences)


@pytest.mark.parametrize("decision", DECISIONS)
def test_every_decision_has_a_label_and_a_sentence_with_the_logs_reason(decision: str) -> None:
    assert decision in DECISION_LABELS
    words = said(decision)
    assert "The log's own words." in words
    assert words.startswith("The message" if decision in ("scheduled", "not_approved") else "No message: ")
    assert "_" not in words


@pytest.mark.parametrize("state", [*MESSAGE_STATES, None])
def test_every_state_of_a_message_is_told(state: str | None) -> None:
    words = said(state=state)
    assert words.startswith(PLAN)
    told = {
        "awaiting_approval": "waits for a person",
        "planned": "is still to be sent",
        "sending": "is still to be sent",
        "sent": "went out on Fri 1 Dec 2017 19:00",
        "failed": "could not be sent",
        "unknown": "may or may not have gone out",
        "expired": "was not sent in time",
        "cancelled": "was cancelled",
        None: "no longer on record",
    }
    assert told[state] in words
    assert ("Nothing is known of it since then." in words) == (state in ("sent", "unknown"))


def test_what_kept_a_message_from_going_is_told() -> None:
    assert "was cancelled before it left: consent for this channel was withdrawn." in said(
        state="cancelled", error="consent for this channel was withdrawn"
    )


def test_how_the_hour_was_found_is_told() -> None:
    assert "drawn by chance, to learn; its probability was 4.2%." in said(explored=True)
    assert "is the best one known for them; its probability was 4.2%." in said(explored=False)
    assert "drawn blindly, as a control to compare with; its probability was 4.2%." in said(policy="random_hour")
    assert "not left to the draw" in said(propensity=None, explored=None)
    assert "probability" not in said("capped")


def test_an_hour_approved_too_late_is_told_as_not_counted_and_nothing_else() -> None:
    late = {"propensity": None, "explored": None, "approved_late": True}
    assert "It left later than drawn, so its hour is not counted." in said(**late)
    for state in ("sent", "planned", "expired"):
        assert "No probability" not in said(state=state, **late)
    assert "later" not in said(state="expired", **late)
    assert "later" not in said(approved_late=False)


def test_what_competed_is_told_where_it_matters() -> None:
    assert "Chosen for them that night instead: Summer and Winter." in said("capped", chosen=["Summer", "Winter"])
    for decision in ("no_consent", "not_worth_sending"):
        assert "Summer" not in said(decision, chosen=["Summer"])
    words = said(chosen=["Summer"], left_out=["Autumn", "Late", "Winter"])
    assert "Planned for them that night as well: Summer." in words
    assert "Left out for them that night: Autumn, Late and Winter." in words


def test_what_happened_since_is_told_and_machines_count_for_nothing() -> None:
    words = said(
        delivered_at=PLANNED.replace(minute=1), clicked_at=NEXT_DAY,
        unsubscribed_at=NEXT_DAY.replace(minute=31), machines=1,
    )  # fmt: skip
    assert (
        "Since then: delivered Fri 1 Dec 2017 19:01, clicked Sat 2 Dec 2017 08:30, unsubscribed Sat 2 Dec 2017 08:31."
    ) in words
    assert "Machines reacted 1 time, which counts for nothing." in words
    assert "Machines reacted 3 times" in said(machines=3)


def test_who_refused_is_told() -> None:
    assert f"{PLAN} was not approved by Ada." in said("not_approved", answered_by="Ada", state="cancelled")
    assert f"{PLAN} was not approved. The log" in said("not_approved", state="cancelled")

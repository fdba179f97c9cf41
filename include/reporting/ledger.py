"""The ledger in words: why one customer got, or did not get, each message, and what has happened since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from include.db.sql import statement
from include.db.tables import RANDOM_HOUR
from include.reporting.formats import channel_label, decision_label, percent, short_date
from include.reporting.page_data import snapshot
from include.settings import Settings

DECISIONS_SHOWN = 50
COMPETED = ("capped", "no_capacity", "over_budget")
"""Decisions that another campaign's message may be the cause of."""
NOT_SENT = {
    "failed": "could not be sent",
    "expired": "was not sent in time, and never will be",
    "cancelled": "was cancelled before it left",
}


@dataclass(frozen=True)
class Entry:
    """One decision about one customer, with all that is known of it. Times are on the customer's own clock.

    chosen, left_out: names of the other campaigns that planned a message for the customer that night, and of those that
    gave way. machines: reactions that no person made. second: the decision's second message, on the other channel, with
    what is known of it; what is known of both stands with the first.
    """

    business_date: date
    campaign_id: str
    campaign: str
    decision: str
    reason: str
    arm: str = "treated"
    channel: str | None = None
    send_at_local: datetime | None = None
    propensity: float | None = None
    policy: str | None = None
    explored: bool | None = None
    expected_value: float | None = None
    state: str | None = None
    """Of the message; None: there is none."""
    error: str | None = None
    sent_at_local: datetime | None = None
    answered_by: str | None = None
    approved_late: bool | None = None
    """Only when the hour that was drawn was over; None: nobody was asked, or answered."""
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    clicked_at: datetime | None = None
    unsubscribed_at: datetime | None = None
    bounced_at: datetime | None = None
    complained_at: datetime | None = None
    machines: int = 0
    chosen: Sequence[str] | None = None
    left_out: Sequence[str] | None = None
    second: Entry | None = None

    @property
    def messages(self) -> list[Entry]:
        """The first, and the second if there is one."""
        return [self] if self.second is None else [self, self.second]

    @property
    def sentences(self) -> list[str]:
        """What was decided, why, how the hour was found, what else competed, and what has happened since."""
        return [*_outcome(self), *_hour(self), *_rivals(self), *_reactions(self), *_second(self)]


def explain(engine: Engine, settings: Settings, customer_id: str, business_date: date) -> list[str]:
    """One paragraph for each campaign that decided about the customer on that night; empty for an unknown customer.

    Only messages carry times, and all are on the customer's own clock.
    """
    with snapshot(engine) as connection:
        entries = read_ledger(connection, settings, customer_id, business_date)
    return [f"{entry.campaign}: {' '.join(entry.sentences)}" for entry in entries]


def read_ledger(
    connection: Connection, settings: Settings, customer_id: str, business_date: date | None = None
) -> list[Entry]:
    """Decisions about one customer by one query, latest first; without a date the last ``DECISIONS_SHOWN``."""
    rows = connection.execute(
        statement(__file__, "ledger"),
        {
            "customer_id": customer_id,
            "business_date": business_date,
            "default_zone": settings.customer_time_zone,
            "decisions": DECISIONS_SHOWN,
        },
    )
    entries: list[Entry] = []
    for row in rows.mappings():
        told = dict(row)
        if told.pop("is_second"):
            entries[-1] = replace(entries[-1], second=Entry(**told))
        else:
            entries.append(Entry(**told))
    return entries


def _outcome(entry: Entry) -> Iterator[str]:
    if entry.decision in ("scheduled", "not_approved"):
        yield f"The message {_fate(entry)}"
    else:
        yield f"No message: {_lowered(decision_label(entry.decision))}."
    yield entry.reason


def _second(entry: Entry) -> Iterator[str]:
    if entry.second is not None:
        yield f"A second message {_fate(entry.second)}"
        yield from _hour(entry.second)
        yield from _reactions(entry.second)


def _fate(entry: Entry) -> str:
    """Of one message, as the end of a sentence."""
    message = f"by {channel_label(entry.channel).lower()}, planned for {_at(entry.send_at_local)},"
    if entry.decision == "not_approved":
        return f"{message} was not approved{f' by {entry.answered_by}' if entry.answered_by else ''}."
    if entry.state == "sent":
        return f"{message} went out on {_at(entry.sent_at_local)}."
    if entry.state in NOT_SENT:
        why = f": {entry.error.removesuffix('.')}" if entry.error else ""
        return f"{message} {NOT_SENT[entry.state]}{why}."
    if entry.state == "awaiting_approval":
        return f"{message} waits for a person to approve the campaign."
    if entry.state == "unknown":
        return f"{message} may or may not have gone out: the run that sent it stopped before it learnt the answer."
    if entry.state is None:
        return f"{message} is no longer on record."
    return f"{message} is still to be sent."


def _hour(entry: Entry) -> Iterator[str]:
    if entry.decision != "scheduled":
        return
    if entry.approved_late:
        if entry.state in ("sent", "unknown"):
            yield "It left later than drawn, so its hour is not counted."
        return
    if entry.propensity is None:
        if entry.state == "cancelled":
            # Refused when the other message had left, it has lost the probability that its hour was drawn with.
            return
        yield "No probability is known of this hour, since it was not left to the draw."
        return
    chance = percent(entry.propensity)
    if entry.policy == RANDOM_HOUR:
        yield f"The hour was drawn blindly, as a control to compare with; its probability was {chance}."
    elif entry.explored:
        yield f"The hour was drawn by chance, to learn; its probability was {chance}."
    elif entry.explored is not None:
        yield f"The hour is the best one known for them; its probability was {chance}."


def _rivals(entry: Entry) -> Iterator[str]:
    if entry.decision in COMPETED and entry.chosen:
        yield f"Chosen for them that night instead: {_listed(entry.chosen)}."
    elif entry.decision == "scheduled":
        if entry.chosen:
            yield f"Planned for them that night as well: {_listed(entry.chosen)}."
        if entry.left_out:
            yield f"Left out for them that night: {_listed(entry.left_out)}."


def _reactions(entry: Entry) -> Iterator[str]:
    if entry.state not in ("sent", "unknown"):
        return
    happened = [
        f"{what} {_at(at)}"
        for what, at in (
            ("bounced", entry.bounced_at),
            ("delivered", entry.delivered_at),
            ("opened", entry.opened_at),
            ("clicked", entry.clicked_at),
            ("unsubscribed", entry.unsubscribed_at),
            ("complained about", entry.complained_at),
        )
        if at is not None
    ]
    if happened:
        yield f"Since then: {', '.join(happened)}."
    if entry.machines:
        yield f"Machines reacted {entry.machines} time{'' if entry.machines == 1 else 's'}, which counts for nothing."
    if not happened and not entry.machines:
        yield "Nothing is known of it since then."


def _at(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{short_date(at.date())} {at:%H:%M}"


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last

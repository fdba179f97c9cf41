"""What a night's plan would do, in figures a person can judge it by, and without anybody's id, name or address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from include.db.sql import statement
from include.db.tables import EVERY_CAMPAIGN
from include.settings import Settings


@dataclass(frozen=True)
class Example:
    """One message as the plan has it. at: on its customer's own clock, such as ``2017-12-01T19:00``."""

    channel: str
    at: str
    items: list[str]
    """Titles, in the order of the message."""
    expected_value: float | None
    reason: str
    """The decision's own sentence."""


@dataclass(frozen=True)
class Preview:
    """The plan of one campaign, or of all of them together, in JSON's own types.

    Money is in the shop's currency. Instants are ISO 8601 in UTC, None where there is no message.
    """

    campaign_id: str
    name: str
    send_date: str
    decisions: dict[str, int] = field(default_factory=dict)
    """Candidates by decision, the most frequent first."""
    messages: int = 0
    awaiting_approval: int = 0
    hours: dict[str, dict[str, int]] = field(default_factory=dict)
    """Channel → hour of the customer's clock ("08") → messages."""
    cost: float = 0.0
    expected_value: float = 0.0
    """Of all messages, their cost taken off; for ranking, not a forecast."""
    explored: int = 0
    """Messages whose hour was drawn to learn, not as the best one known."""
    first_at: str | None = None
    last_at: str | None = None
    not_after: str | None = None
    """After this no message may leave any more."""
    examples: list[Example] = field(default_factory=list)

    @property
    def by_channel(self) -> dict[str, int]:
        return {channel: sum(of_channel.values()) for channel, of_channel in self.hours.items()}

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def key(self) -> str:
        """Names the plan: two previews have the same key if they show the same messages.

        Left out is what an answer or delivery changes in a plan that stays the same: how many messages still wait, and
        which hours count as drawn, since a message approved late is no longer sent at the hour of its draw.
        """
        shown = self.as_json()
        for field_name in ("awaiting_approval", "explored"):
            del shown[field_name]
        for example in shown["examples"]:
            del example["reason"]
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


def preview_from(stored: dict[str, Any]) -> Preview:
    """What ``as_json`` made, back again."""
    return Preview(
        **{
            **stored,
            # Postgres' jsonb keeps no order of keys.
            "decisions": _most_frequent_first(stored["decisions"].items()),
            "examples": [Example(**example) for example in stored["examples"]],
        }
    )


def read_previews(connection: Connection, settings: Settings, business_date: date) -> list[Preview]:
    """All campaigns together first, then each one that the night decided on, the highest priority first."""
    bound = {"business_date": business_date}
    zoned = bound | {"default_zone": settings.customer_time_zone}
    decisions = connection.execute(statement(__file__, "preview_decisions"), bound).all()
    messages = connection.execute(statement(__file__, "preview_messages"), zoned).all()
    examples = connection.execute(statement(__file__, "preview_examples"), zoned).all()
    names = {row.campaign_id: row.name for row in decisions}
    previews = [
        _preview(
            campaign_id,
            name,
            business_date,
            [row for row in decisions if row.campaign_id == campaign_id],
            [row for row in messages if row.campaign_id == campaign_id],
            [row for row in examples if row.campaign_id == campaign_id],
        )
        for campaign_id, name in names.items()
    ]
    return [_preview(EVERY_CAMPAIGN, "All campaigns", business_date, decisions, messages, []), *previews]


def _preview(
    campaign_id: str,
    name: str,
    business_date: date,
    decisions: Sequence[Row[Any]],
    messages: Sequence[Row[Any]],
    examples: Sequence[Row[Any]],
) -> Preview:
    return Preview(
        campaign_id=campaign_id,
        name=name,
        send_date=(business_date + timedelta(days=1)).isoformat(),
        decisions=_most_frequent_first((row.decision, row.candidates) for row in decisions),
        messages=sum(row.messages for row in messages),
        awaiting_approval=sum(row.awaiting_approval for row in messages),
        hours=_hours(messages),
        cost=float(sum(row.cost for row in messages)),
        # To the sixth place: the order in which a database adds up floats is not always the same.
        expected_value=round(float(sum(row.expected_value or 0 for row in messages)), 6),
        explored=sum(row.explored for row in messages),
        first_at=_instant(min((row.first_at for row in messages), default=None)),
        last_at=_instant(max((row.last_at for row in messages), default=None)),
        not_after=_instant(max((row.not_after for row in messages), default=None)),
        examples=[
            Example(row.channel, row.at.isoformat(timespec="minutes"), row.items, row.expected_value, row.reason)
            for row in examples
        ],
    )


def _most_frequent_first(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for decision, candidates in pairs:
        counts[decision] = counts.get(decision, 0) + candidates
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _hours(messages: Sequence[Row[Any]]) -> dict[str, dict[str, int]]:
    hours: dict[str, dict[str, int]] = {}
    for row in sorted(messages, key=lambda row: (row.channel, row.hour)):
        of_channel = hours.setdefault(row.channel, {})
        of_channel[f"{row.hour:02d}"] = of_channel.get(f"{row.hour:02d}", 0) + row.messages
    return hours


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="minutes")

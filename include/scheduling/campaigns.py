"""The campaigns in force on a day, refused as a whole when one of them cannot be understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from include.audience_filter import AudienceError, parse_filter
from include.db.sql import statement
from include.db.tables import PURPOSES, SEGMENTS, TRIGGERS
from include.settings import CHANNELS, SchedulingSettings

DEFAULT_ITEMS_PER_MESSAGE = 4


@dataclass(frozen=True)
class Campaign:
    """A row of ``campaigns`` with its defaults filled in."""

    campaign_id: str
    channels: tuple[str, ...]
    audience: tuple[str, ...] | None
    """Segments; None (a null or an empty list in the table): everyone."""
    audience_filter: str | None
    """As ``include.audience_filter`` reads it; None (a null or a blank text): everyone."""
    trigger: str | None
    """One of TRIGGERS; None: no occasion is waited for. Segments, filter and trigger must all hold."""
    template: str | None
    purpose: str
    items_per_message: int
    cost_per_message: float
    control_share: float
    priority: int | None = None
    """Higher goes first; of the same priority it is their messages' value that counts; None comes last."""
    daily_budget: float | None = None
    """Money that the messages of a send date may cost; None: no limit."""
    requires_approval: bool = False
    """Its messages wait until a person has approved those of the night."""


def read_campaigns(connection: Connection, scheduling: SchedulingSettings, send_date: date) -> list[Campaign]:
    """Campaigns in force on ``send_date``, the highest priority first, then by id.

    Raises ValueError that names every campaign with an unknown channel, segment, trigger or purpose, a filter
    that cannot be understood or an impossible number.
    """
    campaigns, faults = [], []
    for row in connection.execute(statement(__file__, "campaigns_in_force"), {"send_date": send_date}).mappings():
        found = _faults(row)
        faults += [f"campaign {row['campaign_id']}: {fault}" for fault in found]
        if not found:
            campaigns.append(_campaign(row, scheduling))
    if faults:
        raise ValueError(
            f"{'; '.join(faults)}. Mend the row in the landing file of campaigns and load it again, "
            "or end the campaign before this date"
        )
    return campaigns


def _faults(row: Any) -> list[str]:
    faults = []
    for field, known in (("channels", CHANNELS), ("audience", SEGMENTS)):
        unknown = [value for value in row[field] or () if value not in known]
        if unknown:
            faults.append(f"unknown {field} {', '.join(map(repr, unknown))} (known: {', '.join(known)})")
    if not row["channels"]:
        faults.append(f"no channels (known: {', '.join(CHANNELS)})")
    for field, choices in (("purpose", PURPOSES), ("trigger", TRIGGERS)):
        if row[field] is not None and row[field] not in choices:
            faults.append(f"unknown {field} {row[field]!r} (known: {', '.join(choices)})")
    text = _filter_text(row)
    if text is not None:
        try:
            parse_filter(text)
        except AudienceError as error:
            faults.append(f"audience_filter cannot be understood: {error}")
    if row["items_per_message"] is not None and row["items_per_message"] < 1:
        faults.append(f"items_per_message is {row['items_per_message']}, must be at least 1")
    if row["control_share"] is not None and not 0 <= row["control_share"] <= 1:
        faults.append(f"control_share is {row['control_share']}, must lie between 0 and 1")
    if row["daily_budget"] is not None and row["daily_budget"] < 0:
        faults.append(f"daily_budget is {row['daily_budget']}, must not be below 0")
    return faults


def _filter_text(row: Any) -> str | None:
    """None also of a blank text, which a landing file may have where it means none."""
    text = row["audience_filter"]
    return text if text and text.strip() else None


def _campaign(row: Any, scheduling: SchedulingSettings) -> Campaign:
    share = row["control_share"]
    return Campaign(
        campaign_id=row["campaign_id"],
        channels=tuple(row["channels"]),
        audience=tuple(row["audience"]) if row["audience"] else None,
        audience_filter=_filter_text(row),
        trigger=row["trigger"],
        template=row["template"],
        purpose=row["purpose"] or PURPOSES[0],
        items_per_message=row["items_per_message"] or DEFAULT_ITEMS_PER_MESSAGE,
        cost_per_message=float(row["cost_per_message"] or 0),
        control_share=scheduling.default_control_share if share is None else share,
        priority=row["priority"],
        daily_budget=None if row["daily_budget"] is None else float(row["daily_budget"]),
        requires_approval=bool(row["requires_approval"]),
    )


def tiers(campaigns: Sequence[Campaign]) -> list[list[int]]:
    """Numbers of ``campaigns``, as read, by priority: those of one list compete, an earlier list goes first."""
    numbered = groupby(enumerate(campaigns), key=lambda numbered: numbered[1].priority)
    return [[number for number, _ in tier] for _, tier in numbered]

"""The campaigns in force on a day, refused as a whole when one of them cannot be understood."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from include.db.sql import statement
from include.db.tables import PURPOSES, SEGMENTS
from include.scheduling.assignment import control_salt
from include.settings import CHANNELS, SchedulingSettings

logger = logging.getLogger(__name__)

DEFAULT_ITEMS_PER_MESSAGE = 4


@dataclass(frozen=True)
class Campaign:
    """A row of ``campaigns`` with its defaults filled in."""

    campaign_id: str
    channels: tuple[str, ...]
    audience: tuple[str, ...] | None
    """Segments; None (a null or an empty list in the table): everyone."""
    template: str | None
    purpose: str
    items_per_message: int
    cost_per_message: float
    control_share: float

    @property
    def control_salt(self) -> str:
        return control_salt(self.campaign_id)


def read_campaigns(connection: Connection, scheduling: SchedulingSettings, send_date: date) -> list[Campaign]:
    """Campaigns in force on ``send_date``, the highest priority first, then by id.

    A campaign that requires approval is left out, since nothing records an approval yet; the log says so.
    Raises ValueError that names every campaign with an unknown channel, segment or purpose or an impossible number.
    """
    campaigns, faults = [], []
    for row in connection.execute(statement(__file__, "campaigns_in_force"), {"send_date": send_date}).mappings():
        if row["requires_approval"]:
            logger.warning("Campaign %s requires approval and has none: nothing is planned for it", row["campaign_id"])
            continue
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
    if row["purpose"] is not None and row["purpose"] not in PURPOSES:
        faults.append(f"unknown purpose {row['purpose']!r} (known: {', '.join(PURPOSES)})")
    if row["items_per_message"] is not None and row["items_per_message"] < 1:
        faults.append(f"items_per_message is {row['items_per_message']}, must be at least 1")
    if row["control_share"] is not None and not 0 <= row["control_share"] <= 1:
        faults.append(f"control_share is {row['control_share']}, must lie between 0 and 1")
    return faults


def _campaign(row: Any, scheduling: SchedulingSettings) -> Campaign:
    share = row["control_share"]
    return Campaign(
        campaign_id=row["campaign_id"],
        channels=tuple(row["channels"]),
        audience=tuple(row["audience"]) if row["audience"] else None,
        template=row["template"],
        purpose=row["purpose"] or PURPOSES[0],
        items_per_message=row["items_per_message"] or DEFAULT_ITEMS_PER_MESSAGE,
        cost_per_message=float(row["cost_per_message"] or 0),
        control_share=scheduling.default_control_share if share is None else share,
    )

"""What the page on a previewed plan shows; the figures are those of ``plan_previews``, as the dry run wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine, func, select

from include.db.tables import EVERY_CAMPAIGN, plan_previews
from include.reporting.page_data import snapshot

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class PlanPreview:
    """The last dry run of one night. everything: all campaigns together; campaigns: each, the largest first."""

    business_date: date
    everything: Figures
    campaigns: Sequence[Figures]
    dates: Sequence[date]
    """Nights that have a preview, latest first."""


def plan_preview(engine: Engine, business_date: date | None) -> PlanPreview | None:
    """The preview of ``business_date``, or of the latest night that has one; None without any."""
    column = plan_previews.c.business_date
    with snapshot(engine) as connection:
        wanted = business_date or connection.execute(select(func.max(column))).scalar()
        found = connection.execute(select(plan_previews.c.preview).where(column == wanted)).scalars().all()
        dates = connection.execute(select(column).distinct().order_by(column.desc())).scalars().all()
    everything = next((one for one in found if one["campaign_id"] == EVERY_CAMPAIGN), None)
    if wanted is None or everything is None:
        return None
    campaigns = [one for one in found if one is not everything]
    return PlanPreview(
        business_date=wanted,
        everything=everything,
        campaigns=sorted(campaigns, key=lambda one: (-one["messages"], one["name"], one["campaign_id"])),
        dates=dates,
    )

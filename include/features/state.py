"""Up to where the daily tables and the totals count, and what of them a build can go on from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, RowMapping, func, select

from include.db.tables import EVENT_TYPES, LONGEST_NAME, changed_event_days, feature_state
from include.settings import Settings

LANDMARK_HALF_LIVES = 20
"""So far after its landmark a total begins anew from another: a decay of 2^20 still leaves decimals short."""
LONGEST_STEP_DAYS = 62
"""More days than this are added up faster anew than as differences."""


@dataclass(frozen=True)
class Start:
    """What a build goes on from.

    aggregated_until: the daily tables are complete up to this business date; None: they begin anew from events.
    counted_until: the totals count up to the end of this business date; None: they begin anew from the daily tables.
    """

    aggregated_until: date | None
    counted_until: date | None
    landmark: date
    known_file_id: int
    is_shown: bool = True
    """Whether readers of the view ``interactions`` see the former totals until the build commits."""


def daily_fingerprint(settings: Settings) -> str:
    """Of what the daily tables depend on besides events; customers' zones are kept customer by customer."""
    return json.dumps(
        {
            "business_time_zone": settings.business_time_zone,
            "event_types": EVENT_TYPES,
            "longest_name": LONGEST_NAME,
        }
    )


def totals_fingerprint(settings: Settings) -> str:
    """Of the settings that the totals depend on besides the daily tables."""
    counted = settings.features.model_dump(mode="json", exclude={"lifecycle", "forecast_days"})
    return json.dumps(counted, sort_keys=True)


def start_of(state: RowMapping | None, settings: Settings, business_date: date) -> Start:
    """What of ``state`` (None: no build yet) a build for ``business_date`` can go on from.

    Totals of types with half-lives of their own age at several paces, which no single factor follows: they begin anew.
    """
    if state is None:
        return Start(None, None, business_date, 0, is_shown=False)
    if state["daily_fingerprint"] != daily_fingerprint(settings):
        return Start(None, None, business_date, 0)
    features = settings.features
    age = (business_date - state["landmark"]).days / features.half_life_days
    goes_on = (
        state["totals_fingerprint"] == totals_fingerprint(settings)
        and 0 <= (business_date - state["business_date"]).days <= LONGEST_STEP_DAYS
        and age <= LANDMARK_HALF_LIVES
        and not set(features.event_half_life_days.values()) - {features.half_life_days}
    )
    known = state["newest_file_id"]
    if goes_on:
        return Start(state["business_date"], state["business_date"], state["landmark"], known)
    return Start(state["business_date"], None, business_date, known)


def read_state(connection: Connection) -> RowMapping | None:
    """The one row of ``feature_state``; None before the first build."""
    return connection.execute(select(feature_state)).mappings().one_or_none()


def newest_file_id(connection: Connection) -> int:
    """The newest load that touched events, of those in the transaction's sight."""
    return connection.execute(select(func.coalesce(func.max(changed_event_days.c.file_id), 0))).scalar_one()

"""What every DAG file of the house has in common: defaults, tags, assets, and how a task calls its stage."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from airflow.sdk import Asset, get_current_context

logger = logging.getLogger(__name__)

BUSINESS_TIME_ZONE = os.environ.get("LAMPLIGHTER_BUSINESS_TIME_ZONE", "UTC")
"""Read here from the environment alone, so that a DAG file parses without the settings file."""

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "lamplighter",
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "execution_timeout": timedelta(minutes=60),
}


class Tag(StrEnum):
    """The vocabulary of DAG tags."""

    MARKETING = "marketing"
    NIGHTLY = "nightly"
    DELIVERY = "delivery"
    BY_HAND = "by-hand"


def marketing_asset(table: str) -> Asset:
    """The asset a DAG of your own can be scheduled on."""
    return Asset(name=f"marketing.{table}", uri=f"lamplighter://marketing/{table}")


def business_date_of_run() -> date:
    """The run's ``business_date`` parameter, else the date its data interval starts on."""
    from include.business_time import business_date_of
    from include.settings import load_settings

    context = get_current_context()
    given = context["params"].get("business_date")
    if given:
        return date.fromisoformat(given)
    interval_start = context.get("data_interval_start")
    if interval_start is None:
        raise ValueError("this run has no data interval: trigger it with a business_date such as 2017-11-30")
    zone = load_settings().business_time_zone
    if zone != BUSINESS_TIME_ZONE:
        # The schedule would begin the night at another zone's hour: too early for D, or too late for its messages.
        raise ValueError(
            f"the settings count business days in {zone}, the schedule in {BUSINESS_TIME_ZONE}: "
            f"set LAMPLIGHTER_BUSINESS_TIME_ZONE={zone} for every Airflow process, the DAG processor included"
        )
    return business_date_of(interval_start, zone)


def run_stage(stage: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Call ``stage(engine, settings, **arguments)`` and return its summary: counts and keys only, never rows.

    The log shows the summary, but for fields that its dataclass leaves out of its repr.
    Postgres ends any statement that would outlast the task's execution_timeout.
    """
    from include.db.engine import make_engine
    from include.settings import load_settings

    settings = load_settings()
    limit = get_current_context()["ti"].task.execution_timeout
    engine = make_engine(settings, statement_timeout_seconds=int(limit.total_seconds()) if limit else None)
    try:
        result = stage(engine, settings, **arguments)
    finally:
        engine.dispose()
    summary = dataclasses.asdict(result)
    shown = [field.name for field in dataclasses.fields(result) if field.repr]
    logger.info("%s: %s", stage.__name__, ", ".join(f"{key} {summary[key]}" for key in shown))
    return summary

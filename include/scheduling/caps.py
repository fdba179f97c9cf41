"""Frequency caps over all channels: per calendar day of the customer, and rolling to the second in any seven days."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from datetime import datetime, timedelta

from include.scheduling.slots import SendDay
from include.settings import SchedulingSettings

WEEK = timedelta(days=7)


def day_is_full(day: SendDay, others: Sequence[datetime], scheduling: SchedulingSettings) -> bool:
    """Whether one more message on ``day`` would exceed ``messages_per_day``."""
    return sum(day.start <= other < day.end for other in others) >= scheduling.messages_per_day


def week_is_full(at: datetime, others: Sequence[datetime], scheduling: SchedulingSettings) -> bool:
    """Whether a message ``at`` would be one too many in some seven days that hold it.

    Two messages exactly seven days apart are not in the same seven days.
    """
    cap = scheduling.messages_per_week
    if len(others) < cap:
        return False
    times = sorted(others)
    insort(times, at)
    position = times.index(at)
    first, last = max(0, position - cap), min(position, len(times) - 1 - cap)
    return any(times[start + cap] - times[start] < WEEK for start in range(first, last + 1))


def fits(at: datetime, day: SendDay, others: Sequence[datetime], scheduling: SchedulingSettings) -> bool:
    """Whether a message ``at`` on ``day`` keeps both caps beside the messages at ``others``."""
    return not day_is_full(day, others, scheduling) and not week_is_full(at, others, scheduling)

"""Business dates and customers' local hours, correct on days of 23 and 25 hours.

Every instant that leaves this module is an aware datetime in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def start_of_day(day: date, time_zone: str) -> datetime:
    """First instant of ``day`` in ``time_zone``, in UTC."""
    return local_instant(day, time.min, time_zone)


def local_instant(day: date, clock: time, time_zone: str) -> datetime:
    """When the clock of ``time_zone`` shows ``clock`` on ``day``, in UTC.

    A time that comes twice is its first; one that the clock skips is as long after the skip began as it reads.
    """
    return datetime.combine(day, clock, ZoneInfo(time_zone)).astimezone(UTC)


def day_bounds(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """[start, end) of ``day`` in ``time_zone``, in UTC; 23 to 25 hours apart."""
    return start_of_day(day, time_zone), start_of_day(day + timedelta(days=1), time_zone)


def business_date_of(instant: datetime, time_zone: str) -> date:
    """The business date an aware ``instant`` belongs to."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def local_hours(day: date, time_zone: str) -> list[datetime]:
    """The full hours of ``day`` in ``time_zone`` as instants in UTC: 23, 24 or 25 of them in whole-hour zones.

    An hour that the clock skips is absent; one that occurs twice appears twice.
    """
    start, end = day_bounds(day, time_zone)
    zone = ZoneInfo(time_zone)
    hours = []
    instant = start
    while instant < end:
        if instant.astimezone(zone).minute == 0:
            hours.append(instant)
        instant += timedelta(minutes=15)  # no zone's offset changes by less
    return hours


def in_quiet_hours(instant: datetime, time_zone: str, quiet_from: time, quiet_until: time) -> bool:
    """Whether ``instant`` lies in [quiet_from, quiet_until) of the local clock; spans midnight when from > until."""
    local = instant.astimezone(ZoneInfo(time_zone)).time()
    if quiet_from <= quiet_until:
        return quiet_from <= local < quiet_until
    return local >= quiet_from or local < quiet_until


def allowed_hours(day: date, time_zone: str, quiet_from: time, quiet_until: time) -> Sequence[datetime]:
    """Full local hours of ``day`` outside quiet hours, as instants in UTC."""
    return [
        hour for hour in local_hours(day, time_zone) if not in_quiet_hours(hour, time_zone, quiet_from, quiet_until)
    ]

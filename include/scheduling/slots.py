"""The hours of a calendar day at which a customer may be messaged, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from include.business_time import allowed_hours, day_bounds, in_quiet_hours, local_hours
from include.settings import SchedulingSettings

_STEP = timedelta(minutes=15)


@dataclass(frozen=True)
class Slot:
    """One hour of the local clock: the arm of the choice of hour."""

    hour: int
    """0 to 23 in the customer's zone."""
    send_at: datetime
    not_after: datetime
    """Both in UTC."""


@dataclass(frozen=True)
class SendDay:
    """One calendar day in one zone."""

    day: date
    time_zone: str
    start: datetime
    end: datetime
    hours: tuple[datetime, ...]
    """All full hours still to come, quiet or not."""
    slots: tuple[Slot, ...]
    """Those outside quiet hours, each local hour once."""


def send_day(day: date, time_zone: str, scheduling: SchedulingSettings, *, not_before: datetime) -> SendDay:
    """The hours of ``day`` in ``time_zone`` from ``not_before`` on.

    Where the business's day ends after a customer's next day has begun, the hours already past are no choice. When the
    clock is turned back, a local hour that comes twice is one slot, its first: the profile knows one rate for it.
    """
    start, end = day_bounds(day, time_zone)
    zone = ZoneInfo(time_zone)

    def to_come(hours: list[datetime]) -> list[datetime]:
        return [hour for hour in hours if hour >= not_before and hour.astimezone(zone).date() == day]

    slots: dict[int, Slot] = {}
    for send_at in to_come(list(allowed_hours(day, time_zone, scheduling.quiet_from, scheduling.quiet_until))):
        local_hour = send_at.astimezone(zone).hour
        if local_hour not in slots:
            slots[local_hour] = Slot(local_hour, send_at, latest_send(send_at, time_zone, scheduling))
    return SendDay(day, time_zone, start, end, tuple(to_come(local_hours(day, time_zone))), tuple(slots.values()))


def latest_send(send_at: datetime, time_zone: str, scheduling: SchedulingSettings) -> datetime:
    """When a message due at ``send_at`` expires: after ``expires_after_hours``, or when quiet hours begin, if sooner.

    The start of quiet hours is looked for on the local clock as it runs (a wall time that the clock skips or repeats
    has no instant of its own), to the second.
    """
    expiry = send_at + timedelta(hours=scheduling.expires_after_hours)

    def is_quiet(instant: datetime) -> bool:
        return in_quiet_hours(instant, time_zone, scheduling.quiet_from, scheduling.quiet_until)

    open_at = send_at
    while open_at < expiry:
        quiet_at = min(open_at + _STEP, expiry)
        if is_quiet(quiet_at):
            while quiet_at - open_at > timedelta(seconds=1):
                middle = open_at + timedelta(seconds=(quiet_at - open_at) // timedelta(seconds=2))
                open_at, quiet_at = (open_at, middle) if is_quiet(middle) else (middle, quiet_at)
            return quiet_at
        open_at = quiet_at
    return expiry

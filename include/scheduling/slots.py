"""The hours of a calendar day at which a customer may be messaged, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from include.business_time import allowed_hours, day_bounds, in_quiet_hours, local_hours, start_of_day
from include.settings import SchedulingSettings

Mask = NDArray[np.bool_]
Instants = NDArray[np.int64]
"""Microseconds since 1970, UTC."""

HOURS = 24
SECOND = 1_000_000
HOUR = 3600 * SECOND
NO_SLOT = -1
_STEP = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    Where a customer's day has begun before the business's night is over, the hours already past are no choice. When the
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


def microseconds(instant: datetime) -> int:
    """Of an aware ``instant`` since 1970, UTC."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Hours:
    """The send date in every zone: arrays (zones, hours of the local clock), instants 0 where the hour does not come.

    to_come: hours still ahead, quiet or not; is_open: those outside quiet hours. slot: the hour of UTC that a provider
    counts it in, from ``first_hour`` on, NO_SLOT where it is not open; zones of a half hour share two. day_start,
    day_end, week_start, week_end: (zones,), of the date and of its week from Monday on.
    """

    day: date
    zones: tuple[str, ...]
    send_at: Instants
    not_after: Instants
    to_come: Mask
    is_open: Mask
    slot: NDArray[np.int64]
    slots: int
    first_hour: int
    day_start: Instants
    day_end: Instants
    week_start: Instants
    week_end: Instants

    @classmethod
    def of(cls, day: date, zones: Sequence[str], scheduling: SchedulingSettings, *, not_before: datetime) -> Self:
        """Hours of ``day`` from ``not_before`` on, as ``send_day`` tells them zone by zone."""
        shape = len(zones), HOURS
        send_at, not_after = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        to_come, is_open = np.zeros(shape, bool), np.zeros(shape, bool)
        bounds = np.zeros((len(zones), 4), np.int64)
        monday = day - timedelta(days=day.weekday())
        for row, zone in enumerate(zones):
            told = send_day(day, zone, scheduling, not_before=not_before)
            for instant in reversed(told.hours):  # of an hour that comes twice the first is kept
                hour = instant.astimezone(ZoneInfo(zone)).hour
                send_at[row, hour], to_come[row, hour] = microseconds(instant), True
            for slot in told.slots:
                send_at[row, slot.hour], is_open[row, slot.hour] = microseconds(slot.send_at), True
                not_after[row, slot.hour] = microseconds(slot.not_after)
            week = (start_of_day(monday + timedelta(days=days), zone) for days in (0, 7))
            bounds[row] = [microseconds(instant) for instant in (told.start, told.end, *week)]
        hour_of_utc = send_at // HOUR
        first_hour = int(hour_of_utc[is_open].min()) if is_open.any() else microseconds(not_before) // HOUR
        slot_of = np.where(is_open, hour_of_utc - first_hour, NO_SLOT)
        slots = int(slot_of.max(initial=NO_SLOT)) + 1
        return cls(day, tuple(zones), send_at, not_after, to_come, is_open, slot_of, slots, first_hour, *bounds.T)

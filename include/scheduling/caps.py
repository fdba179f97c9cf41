"""Frequency caps: how many more messages a customer may have, by day, by calendar week and in any seven days.

Each cap counts over all channels, and again on each channel; days and weeks are those of the customer's own calendar,
seven days roll to the second. Arrays in, arrays out; instants are microseconds since 1970, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from include.scheduling.slots import SECOND, Hours, Instants, Mask
from include.settings import CHANNELS, ChannelSettings, SchedulingSettings

Numbers = NDArray[np.int64]

WEEK = 7 * 24 * 3600 * SECOND
NEVER = np.iinfo(np.int64).min // 4
"""Fills the rows of customers with fewer messages than others."""
NO_CAP = np.iinfo(np.int32).max
FREE, DAY, CALENDAR_WEEK, ROLLING_WEEK = range(4)
"""Which cap leaves no hour; of a channel's own cap, KINDS more."""
KINDS = 4
AT_ONCE = 16_384


@dataclass(frozen=True)
class Caps:
    """The most messages by kind (DAY, CALENDAR_WEEK, ROLLING_WEEK) and scope: all channels, then each of CHANNELS."""

    most: Numbers
    """(kinds, 1 + channels); NO_CAP for none."""

    @classmethod
    def of(cls, scheduling: SchedulingSettings) -> Self:
        most = np.full((KINDS, 1 + len(CHANNELS)), NO_CAP)
        every: list[SchedulingSettings | ChannelSettings] = [scheduling, *map(scheduling.channels.of, CHANNELS)]
        for scope, limits in enumerate(every):
            for kind, cap in (
                (DAY, limits.messages_per_day),
                (CALENDAR_WEEK, limits.messages_per_calendar_week),
                (ROLLING_WEEK, limits.messages_per_week),
            ):
                most[kind, scope] = NO_CAP if cap is None else cap
        return cls(most)

    def words(self, code: int, channel: int, day: Any) -> str:
        """What the cap ``code`` of ``room`` says of ``channel``, as a sentence."""
        kind, of_channel = code % KINDS, code >= KINDS
        most = self.most[kind, 1 + channel if of_channel else 0]
        when = {
            DAY: f"on {day}",
            CALENDAR_WEEK: f"in the week from {day - timedelta(days=day.weekday())}",
            ROLLING_WEEK: "in any 7 days",
        }[kind]
        on = f" on {CHANNELS[channel]}" if of_channel else ""
        return f"Already has the {most} message(s) allowed{on} {when}."


def most_in_seven_days(at: Instants, others: Instants) -> Numbers:
    """(rows, hours): the most of ``others`` that some seven days hold together with a message ``at``.

    at: (rows, hours). others: (rows, any), NEVER where there is none. Two messages exactly seven days apart are not in
    the same seven days; those days begin with one of the messages.
    """
    most = ((others[:, None, :] >= at[:, :, None]) & (others[:, None, :] < at[:, :, None] + WEEK)).sum(axis=2)
    for number in range(others.shape[1]):
        start = others[:, number, None]
        held = ((others >= start) & (others < start + WEEK)).sum(axis=1, keepdims=True)
        holds = (start <= at) & (start > at - WEEK)
        np.maximum(most, np.where(holds, held, 0), out=most)
    return most


@dataclass(frozen=True)
class Room:
    """open: (rows, channels, hours) where the caps leave an hour. cap: (rows, channels), the first that leaves none.

    cap is FREE where an hour is open, and where quiet hours alone leave none.
    """

    open: Mask
    cap: NDArray[np.uint8]

    @classmethod
    def of_zones(cls, hours: Hours, zone: NDArray[Any]) -> Self:
        """Of customers who have had no message, by the number of their zone."""
        open_ = np.repeat(hours.is_open[:, None, :], len(CHANNELS), axis=1)
        return cls(open_[zone], np.zeros((len(zone), len(CHANNELS)), np.uint8))


def room(hours: Hours, zone: NDArray[Any], others: Instants, channel: NDArray[Any], caps: Caps) -> Room:
    """Where one more message keeps every cap. zone: (rows,). others, channel: (rows, any), messages a customer has.

    Where all hours of the day are quiet, the hours to come are asked, so that whoever could have no message anyway is
    told so.
    """
    is_open = hours.is_open[zone]
    asked = np.where(is_open.any(axis=1, keepdims=True), is_open, hours.to_come[zone])
    at = hours.send_at[zone]
    all_open = np.repeat(asked[:, None, :], len(CHANNELS), axis=1)
    cap = np.zeros((len(zone), len(CHANNELS)), np.uint8)
    for kind in (DAY, CALENDAR_WEEK, ROLLING_WEEK):
        for scope in range(1 + len(CHANNELS)):
            if caps.most[kind, scope] == NO_CAP:
                continue
            counted = others if scope == 0 else np.where(channel == scope - 1, others, NEVER)
            fits = _count(kind, hours, zone, at, counted) < caps.most[kind, scope]
            for number in range(len(CHANNELS)) if scope == 0 else (scope - 1,):
                all_open[:, number] &= fits
                full = ~all_open[:, number].any(axis=1) & (cap[:, number] == FREE)
                # A day that is full is full whether or not an hour of it is left.
                full &= asked.any(axis=1) | ((kind == DAY) & ~fits.any(axis=1))
                cap[full, number] = kind + (KINDS if scope else 0)
    return Room(all_open & is_open[:, None, :], cap)


def _count(kind: int, hours: Hours, zone: NDArray[Any], at: Instants, others: Instants) -> Numbers:
    """(rows, hours or 1): messages that count against the cap."""
    if kind == ROLLING_WEEK:
        return most_in_seven_days(at, others)
    start, end = (hours.day_start, hours.day_end) if kind == DAY else (hours.week_start, hours.week_end)
    inside = (others >= start[zone, None]) & (others < end[zone, None])
    return np.asarray(inside.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Sent:
    """Messages that count against caps. customer: (messages,) numbers, ascending; at, channel: (messages,)."""

    customer: Numbers
    at: Instants
    channel: NDArray[np.int8]

    @classmethod
    def of(cls, customer: Numbers, at: Instants, channel: NDArray[Any]) -> Self:
        """In any order."""
        order = np.argsort(customer, kind="stable")
        return cls(customer[order], at[order], channel[order].astype(np.int8))

    def beside(self, rows: Numbers) -> tuple[Instants, NDArray[np.int8]]:
        """(rows, most of one of them): messages of these customers; NEVER where there is none."""
        first, last = np.searchsorted(self.customer, rows), np.searchsorted(self.customer, rows + 1)
        held = last - first
        column = np.arange(held.sum()) - np.repeat(np.cumsum(held) - held, held)
        row, mine = np.repeat(np.arange(len(rows)), held), np.repeat(first, held) + column
        shape = len(rows), int(held.max(initial=0))
        at, channel = np.full(shape, NEVER), np.full(shape, -1, np.int8)
        at[row, column], channel[row, column] = self.at[mine], self.channel[mine]
        return at, channel

    def has_any(self, rows: Numbers) -> Mask:
        """(rows,): whether these customers have a message."""
        return np.asarray(np.searchsorted(self.customer, rows) < np.searchsorted(self.customer, rows + 1))

    def and_also(self, customer: Numbers, at: Instants, channel: NDArray[Any]) -> Sent:
        joined = ((self.customer, customer), (self.at, at), (self.channel, channel))
        return Sent.of(*(np.concatenate(both) for both in joined))


def room_of(hours: Hours, zone: NDArray[Any], rows: Numbers, sent: Sent, caps: Caps) -> Room:
    """``room`` of the customers ``rows``, some at a time. zone: of all customers."""
    whole = Room.of_zones(hours, zone[rows])
    busy = np.flatnonzero(sent.has_any(rows))
    for start in range(0, len(busy), AT_ONCE):
        some = busy[start : start + AT_ONCE]
        others, channel = sent.beside(rows[some])
        found = room(hours, zone[rows[some]], others, channel, caps)
        whole.open[some], whole.cap[some] = found.open, found.cap
    return whole

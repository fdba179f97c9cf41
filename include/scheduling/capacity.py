"""How many messages an hour and a day have room for, and where those go that chance put into a full one.

A slot is a channel in an hour of UTC, as a provider counts. A group of slots has a limit besides: a channel's day (its
daily capacity and warm-up), or, where one capacity holds for all channels, an hour. Arrays in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from include.scheduling.allocation import allocate
from include.scheduling.market import Market
from include.scheduling.night import Floats, Mask, Numbers
from include.scheduling.slots import HOUR, NO_SLOT, Hours
from include.settings import CHANNELS, SchedulingSettings

UNPLACED = -1


@dataclass(frozen=True)
class Capacity:
    """slot_of: (zones, choices). most: (slots,), group: (slots,), group_most: (groups,); inf for no limit."""

    slot_of: Numbers
    most: Floats
    group: Numbers
    group_most: Floats
    by_hour: bool
    """Whether groups are hours; else they are channels."""
    first_hour: int

    @classmethod
    def of(cls, scheduling: SchedulingSettings, hours: Hours, send_date: date) -> Self:
        channels = len(CHANNELS)
        starts = np.arange(channels)[:, None] * hours.slots
        slot_of = np.where(hours.slot[:, None, :] == NO_SLOT, NO_SLOT, hours.slot[:, None, :] + starts)
        limits = [scheduling.channels.of(channel) for channel in CHANNELS]
        most = np.repeat([_limit(one.hourly_capacity) for one in limits], hours.slots)
        by_hour = scheduling.hourly_capacity is not None
        if by_hour:
            group = np.tile(np.arange(hours.slots), channels)
            group_most = np.full(hours.slots, _limit(scheduling.hourly_capacity))
        else:
            group = np.repeat(np.arange(channels), hours.slots)
            group_most = np.array([_limit(one.most_on(send_date)) for one in limits])
        return cls(slot_of.reshape(len(slot_of), -1), most, group, group_most, by_hour, hours.first_hour)

    @property
    def is_limited(self) -> bool:
        return bool(np.isfinite(self.most).any() or np.isfinite(self.group_most).any())

    def taken_by(self, channel: NDArray[np.integer[Any]], at: Numbers, *, of_night: bool) -> Load:
        """What messages on these channels at these instants take; those of earlier nights count no day of the night."""
        slots = len(self.most) // len(CHANNELS)
        hour = at // HOUR - self.first_hour
        mine = np.flatnonzero((hour >= 0) & (hour < slots))
        slot = channel[mine].astype(np.int64) * slots + hour[mine]
        groups = np.bincount(self.group[slot], minlength=len(self.group_most))
        if not self.by_hour:
            groups = np.bincount(channel, minlength=len(CHANNELS)) if of_night else np.zeros_like(groups)
        return Load(np.bincount(slot, minlength=len(self.most)), groups)

    def load(self, slot: Numbers) -> Load:
        return Load(
            np.bincount(slot, minlength=len(self.most)),
            np.bincount(self.group[slot], minlength=len(self.group_most)),
        )

    def left(self, load: Load) -> tuple[Floats, Floats]:
        """(slots,), (groups,): room beside ``load``."""
        return np.maximum(self.most - load.slots, 0), np.maximum(self.group_most - load.groups, 0)

    def has_room(self, load: Load) -> Mask:
        """(zones, choices): where one more message fits beside ``load``."""
        slots, groups = self.left(load)
        return np.asarray(np.append((slots > 0) & (groups > 0)[self.group], False)[self.slot_of])

    def is_over(self, load: Load) -> Mask:
        """(slots,): of slots that are too full, or whose group is."""
        return np.asarray((load.slots > self.most) | (load.groups > self.group_most)[self.group])


@dataclass(frozen=True)
class Load:
    """Messages by slot and by group."""

    slots: Numbers
    groups: Numbers

    def __add__(self, other: Load) -> Load:
        return Load(self.slots + other.slots, self.groups + other.groups)


def _limit(most: int | None) -> float:
    return np.inf if most is None else float(most)


def repair(values: Floats, zone: Numbers, drawn: Numbers, capacity: Capacity, used: Load) -> Numbers:
    """(rows,): the choice of each row, its drawn one wherever there is room; UNPLACED where no feasible one has any.

    values: (rows, choices), -inf where not feasible. used: what others take. Of those whose slot is too full as few
    move as can be, those who lose least, each to the best there is; if need be others make room for them.
    """
    slot = capacity.slot_of[zone, drawn]
    over = capacity.is_over(used + capacity.load(slot))
    if not over.any():
        return drawn
    moving = over[slot]
    while True:
        choice = _placed(values, zone, drawn, moving, capacity, used)
        unplaced = np.flatnonzero(choice == UNPLACED)
        if not len(unplaced):
            return choice
        wanted = np.zeros(len(over) + 1, bool)
        rows, columns = np.nonzero(np.isfinite(values[unplaced]))
        wanted[capacity.slot_of[zone[unplaced][rows], columns]] = True
        full_groups = np.zeros(len(capacity.group_most), bool)
        full_groups[capacity.group[np.flatnonzero(wanted[:-1])]] = True
        asked = moving | wanted[slot] | (full_groups[capacity.group[slot]] & np.isfinite(capacity.group_most).any())
        if (asked == moving).all():
            return choice
        moving = asked


def _placed(values: Floats, zone: Numbers, drawn: Numbers, moving: Mask, capacity: Capacity, used: Load) -> Numbers:
    """``drawn``, but of the rows that may move what the exact flow says."""
    slot = capacity.slot_of[zone, drawn]
    rows = np.flatnonzero(moving)
    most, group_most = capacity.left(used + capacity.load(slot[~moving]))
    # To stay is worth more than any hour, and to go at all more than that.
    known = values[rows][np.isfinite(values[rows])]
    bonus = 2 * max(float(np.abs(known).max(initial=0)), 1e-12)
    worth = values[rows] + bonus
    worth[np.arange(len(rows)), drawn[rows]] += bonus
    allocation = allocate(
        Market(
            values=worth,
            zone=zone[rows],
            slot_of=capacity.slot_of,
            owner=np.arange(len(rows)),
            limit=np.ones(len(rows)),
            capacity=most,
            group=capacity.group,
            group_capacity=group_most,
            campaign=np.zeros(len(rows), np.int64),
            cost=np.zeros(len(rows)),
            budget=np.array([np.inf]),
        )
    )
    choice = drawn.copy()
    choice[rows] = allocation.choice
    return choice

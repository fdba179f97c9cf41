"""Who could get a message when, for what value, and what each would take at given prices. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Integers = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

EXACT = 1e-9
"""A share that is nothing but for rounding."""
NONE = -1
"""Of a slot or a choice: there is none."""
ROUNDING = 1e-10
"""Share by which sums of money may differ because they were added up in another order."""
ROWS_AT_ONCE = 8_192
"""Rows whose values at prices are worked out together: so many stay in the processor's cache."""


@dataclass(frozen=True)
class Market:
    """Rows are candidate messages (customer × campaign), slots (channel, UTC hour), choices the slots as rows see them.

    values: (rows, choices) expected value in money, -inf where the row may not have the choice.
    zone: (rows,), and slot_of: (zones, choices): the slot that is a choice in a time zone, -1 for none.
    owner: (rows,) customer number; limit: (owners,) rows of theirs that may be placed.
    capacity: (slots,), and group: (slots,) each slot's group (the day of a channel: its warm-up), group_capacity:
    (groups,).
    campaign: (rows,), cost: (rows,) money of one message, budget: (campaigns,) money.

    Limits, capacities and budgets are inf where there is none. ValueError where the arrays do not belong together.
    """

    values: NDArray[np.floating[Any]]
    zone: Numbers
    slot_of: Numbers
    owner: Numbers
    limit: Floats | Numbers
    capacity: Floats
    group: Numbers
    group_capacity: Floats
    campaign: Numbers
    cost: Floats
    budget: Floats
    nudge: Floats | None = None
    """(rows,) money taken from values, more or less of it by choice, where too many rows are alike to tell apart."""

    def __post_init__(self) -> None:
        rows, choices = self.values.shape
        for name in ("zone", "owner", "campaign", "cost"):
            if getattr(self, name).shape != (rows,):
                raise ValueError(f"{name} must be one per row ({rows:,}), not {getattr(self, name).shape}")
        if self.slot_of.ndim != 2 or self.slot_of.shape[1] != choices:
            raise ValueError(f"slot_of must be (zones, {choices}), not {self.slot_of.shape}")
        if self.group.shape != self.capacity.shape:
            raise ValueError("group and capacity must be one per slot")
        for name, of, lowest in (
            ("zone", len(self.slot_of), 0),
            ("slot_of", len(self.capacity), NONE),
            ("owner", len(self.limit), 0),
            ("group", len(self.group_capacity), 0),
            ("campaign", len(self.budget), 0),
        ):
            numbers = getattr(self, name)
            if numbers.size and (numbers.min() < lowest or numbers.max() >= of):
                raise ValueError(f"{name} must be numbers from {lowest} to {of - 1}")
        for name in ("limit", "capacity", "group_capacity", "budget", "cost"):
            if not (getattr(self, name) >= 0).all():
                raise ValueError(f"{name} must not be negative or NaN")
        if not np.isfinite(self.cost).all():
            raise ValueError("cost must be finite")
        if self.values.size and not self.values.max() < np.inf:
            raise ValueError("values must be numbers or -inf")

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def scarce(self) -> tuple[Floats, Floats, Floats]:
        """Messages per slot and per group, and money per campaign."""
        return self.capacity, self.group_capacity, self.budget

    @cached_property
    def contended(self) -> Contended:
        return Contended.of(self)

    def worth(self, rows: Integers, choices: Integers) -> Floats:
        """Values of these rows at these choices of theirs, nudges included."""
        value = self.values[rows, choices].astype(np.float64)
        return value if self.nudge is None else value - self.nudge[rows] * _spread(self.values.shape[1])[choices]

    def of_owners(self, chosen: Mask, share: float) -> Self:
        """The rows of these owners ((owners,) mask), with that share of everything scarce."""
        rows = np.flatnonzero(chosen[self.owner])
        return replace(
            self,
            values=self.values[rows],
            zone=self.zone[rows],
            owner=self.owner[rows],
            capacity=self.capacity * share,
            group_capacity=self.group_capacity * share,
            campaign=self.campaign[rows],
            cost=self.cost[rows],
            budget=self.budget * share,
            nudge=None if self.nudge is None else self.nudge[rows],
        )

    def nudged(self, most: float) -> Self:
        """With values up to ``most`` lower, by the golden ratio's multiples: the same for the same market."""
        return replace(self, nudge=most * _spread(len(self)))


@dataclass(frozen=True)
class Contended:
    """The owners who have more rows than may be placed, and their rows.

    seats: (contended owners, most rows of one) row numbers, -1 beyond an owner's rows. limit: (contended owners,).
    """

    seats: Numbers
    limit: Numbers

    @classmethod
    def of(cls, market: Market) -> Contended:
        held = np.bincount(market.owner, minlength=len(market.limit))
        tight = held > market.limit
        rows = np.flatnonzero(tight[market.owner])
        rows = rows[np.argsort(market.owner[rows], kind="stable")]
        sizes = held[tight]
        seats = np.full((len(sizes), sizes.max(initial=0)), NONE)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        seats[np.repeat(np.arange(len(sizes)), sizes), place] = rows
        return cls(seats, market.limit[tight].astype(np.int64))


@dataclass(frozen=True)
class Prices:
    """slot: (slots,), group: (groups,) money per message; budget: (campaigns,) money per money. None is negative."""

    slot: Floats
    group: Floats
    budget: Floats

    @classmethod
    def free(cls, market: Market) -> Prices:
        return cls(np.zeros(len(market.capacity)), np.zeros(len(market.group_capacity)), np.zeros(len(market.budget)))

    def of_slots(self, market: Market) -> Floats:
        """(slots,): what a message in each slot pays, its group's price included."""
        return self.slot + self.group[market.group]

    def of_choices(self, market: Market) -> Floats:
        """(zones, choices): the same, inf where a choice is no slot."""
        return np.append(self.of_slots(market), np.inf)[market.slot_of]

    def of_rows(self, market: Market) -> Floats:
        """(rows,): what a row pays from its campaign's budget, whatever its slot."""
        return self.budget[market.campaign] * market.cost

    def earned(self, market: Market) -> float:
        """Prices times everything scarce."""
        pairs = zip((self.slot, self.group, self.budget), market.scarce, strict=True)
        return float(sum(price[price > 0] @ scarce[price > 0] for price, scarce in pairs))


@dataclass(frozen=True)
class Demand:
    """What every row would take at prices. Net: value less prices. All (rows,).

    choice, net: the best choice, and second_choice, second: the next; net is -inf where there is none.
    taken: rows among the best ``limit`` of their owner, with positive net.
    bar: of a taken row, the net at which it would give way (to a row of the same owner, or to nothing, 0); of another,
    the net it would need. rival: the row that bar is the net of, -1 for nothing.
    """

    choice: Integers
    net: Floats
    second_choice: Integers
    second: Floats
    taken: Mask
    bar: Floats
    rival: Integers

    @property
    def margin(self) -> Floats:
        """How much has to change before the row would do another thing."""
        with np.errstate(invalid="ignore"):
            return np.where(self.taken, np.minimum(self.net - self.second, self.net - self.bar), self.bar - self.net)

    def surplus(self) -> float:
        return float(self.net[self.taken].sum())


def _spread(size: int) -> Floats:
    """(size,) numbers in [0, 1), no two alike, and evenly spread in each stretch (Weyl's sequence)."""
    return np.arange(1, size + 1) * ((np.sqrt(5) - 1) / 2) % 1


def nets(market: Market, prices: Prices) -> Iterator[tuple[slice, Floats]]:
    """(rows, choices) of some rows after the other: value less prices."""
    by_choice, by_row = prices.of_choices(market), prices.of_rows(market)
    ramp = _spread(market.values.shape[1])
    for start in range(0, len(market), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        block = market.values[rows] - by_choice[market.zone[rows]]
        if market.nudge is not None:
            block -= market.nudge[rows, None] * ramp
        if prices.budget.any():
            block -= by_row[rows, None]
        yield rows, block


def used(market: Market, rows: Integers, choices: Integers) -> tuple[Floats, Floats, Floats]:
    """Messages per slot and per group, and money per campaign, that these rows take at these choices of theirs."""
    slot = market.slot_of[market.zone[rows], choices]
    slots = np.bincount(slot, minlength=len(market.capacity)).astype(np.float64)
    groups = np.bincount(market.group[slot], minlength=len(market.group_capacity)).astype(np.float64)
    money = np.bincount(market.campaign[rows], market.cost[rows], minlength=len(market.budget))
    return slots, groups, money.astype(np.float64)


def demand(market: Market, prices: Prices) -> Demand:
    size = len(market)
    choice, second_choice = np.full(size, NONE, np.int16), np.full(size, NONE, np.int16)
    net, second = np.full(size, -np.inf), np.full(size, -np.inf)
    for rows, block in nets(market, prices):
        if block.shape[1] == 0:
            break
        own = np.arange(len(block))
        choice[rows] = block.argmax(axis=1)
        net[rows] = block[own, choice[rows]]
        block[own, choice[rows]] = -np.inf
        second_choice[rows] = block.argmax(axis=1)
        second[rows] = block[own, second_choice[rows]]
    return Demand(choice, net, second_choice, second, *_best_of_owners(market.contended, net))


def _best_of_owners(contended: Contended, net: Floats) -> tuple[Mask, Floats, Integers]:
    """taken, bar and rival of ``Demand``."""
    taken, bar, rival = net > 0, np.zeros(len(net)), np.full(len(net), NONE, np.int32)
    seats, limit = contended.seats, contended.limit
    if not seats.size:
        return taken, bar, rival
    bid = np.where(seats >= 0, net[seats], -np.inf)
    order = np.argsort(-bid, axis=1, kind="stable")
    seats, bid = np.take_along_axis(seats, order, 1), np.take_along_axis(bid, order, 1)
    owners, real = np.arange(len(seats)), seats >= 0
    inside = np.arange(seats.shape[1]) < limit[:, None]
    first_out, last_in = bid[owners, limit], bid[owners, limit - 1]
    full = (limit > 0) & (last_in > 0)
    # Whoever may have none has a bar that nothing passes.
    entry = np.where(limit == 0, np.inf, np.where(full, last_in, 0.0))
    taken[seats[real]] = (inside & (bid > 0))[real]
    bar[seats[real]] = np.where(inside & (bid > 0), np.maximum(first_out, 0)[:, None], entry[:, None])[real]
    below = np.where(first_out > 0, seats[owners, limit], NONE)
    above = np.where(full, seats[owners, limit - 1], NONE)
    rival[seats[real]] = np.where(inside & (bid > 0), below[:, None], above[:, None])[real]
    return taken, bar, rival

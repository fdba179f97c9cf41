"""Prices of slots at which the load that chance brings fits their room. Arrays in, arrays out.

The allocation's prices fit if each message goes where it is worth most. Drawn channels and hours spread more: a slot
that is asked for too much loses some messages to chance and gets some that would rather be elsewhere. What a sample of
messages is expected to bring more or less than that is told to the allocation as so much less or more room, and prices
are found anew, a few times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from include.scheduling.allocation import find_prices
from include.scheduling.market import Market, Prices, demand, used
from include.scheduling.night import Floats, Numbers

SAMPLE = 10_000
"""Messages, spread evenly over all: more would hardly change a price."""
FEWEST = 100
"""Of fewer, each message is too large a part of a slot for an expectation to mean much."""
STEPS = 3
FITS = 0.01
"""Messages too many, as a share of all, that are left to the repair."""


def balance(market: Market, rows: Numbers, prices: Floats, expected: Callable[[Numbers, Floats], Floats]) -> Floats:
    """(slots,) prices for these rows of ``market``, all of which go; ``prices`` where they are few.

    prices: (slots,), of the allocation. expected: probabilities (rows, choices) of rows of the market at prices of
    choices (zones, choices).
    """
    if len(rows) < FEWEST:
        return prices
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.int64)]
    sample = _sample(market, some, len(some) / len(rows))
    found = prices
    for _ in range(STEPS):
        drawn = _load(sample, expected(some, np.append(found, 0.0)[market.slot_of]))
        most_over = np.maximum(drawn - sample.capacity, 0).sum()
        groups = np.bincount(market.group, drawn, minlength=len(market.group_capacity))
        most_over += np.maximum(groups - sample.group_capacity, 0).sum()
        if most_over <= FITS * len(some):
            break
        asked = demand(sample, Prices(found, np.zeros(len(market.group_capacity)), np.zeros(1)))
        taken = np.flatnonzero(asked.taken)
        slots, by_group, _ = used(sample, taken, asked.choice[taken])
        corrected = replace(
            sample,
            capacity=np.maximum(sample.capacity + slots - drawn, 0),
            group_capacity=np.maximum(sample.group_capacity + by_group - groups, 0),
        )
        told = find_prices(corrected)
        found = told.slot + told.group[market.group]
    return found


def _sample(market: Market, rows: Numbers, share: float) -> Market:
    """Of these rows alone, with their share of the room. All are worth sending wherever they are put."""
    values = market.values[rows].astype(np.float64)
    known = values[np.isfinite(values)]
    return Market(
        values=values + 2 * float(np.abs(known).max(initial=1e-12)),
        zone=market.zone[rows],
        slot_of=market.slot_of,
        owner=np.arange(len(rows)),
        limit=np.ones(len(rows)),
        capacity=market.capacity * share,
        group=market.group,
        group_capacity=market.group_capacity * share,
        campaign=np.zeros(len(rows), np.int64),
        cost=np.zeros(len(rows)),
        budget=np.array([np.inf]),
    )


def _load(sample: Market, probabilities: Floats) -> Floats:
    """(slots,): messages expected."""
    slot = sample.slot_of[sample.zone]
    real = slot >= 0
    return np.asarray(np.bincount(slot[real], probabilities[real], minlength=len(sample.capacity)), np.float64)

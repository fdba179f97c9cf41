"""A time split of what customers did: arrays in, arrays out.

Weights follow the rule of ``interactions``: an event type counts once per customer, item and business day, with its
weight halved every ``half_life_days`` up to the cut; what is not above zero is dropped.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from include.recommender.als import ModelParameters
from include.recommender.evaluation import MINIMUM_CUSTOMERS, Split
from include.recommender.reading import Pairs, pairs_of, positions, sorted_ids

EPOCH = date(1970, 1, 1)
PURCHASE = "purchase"

EXACT_STEP = 2.0**-40
"""Weights are whole multiples of it, so their sums are exact in any order, and what was returned comes to nothing."""


@dataclass(frozen=True)
class Activity:
    """Events with an item, as parallel arrays: numbers into ``customers``, ``items`` and ``event_types``, and days."""

    customers: pd.Index
    items: pd.Index
    event_types: list[str]
    customer: NDArray[np.int64]
    item: NDArray[np.int64]
    event_type: NDArray[np.int64]
    day: NDArray[np.int64]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Activity:
        """From categorical columns customer_id, item_id, event_type, and business_day in days since 1970-01-01."""
        customers, items = sorted_ids(frame["customer_id"]), sorted_ids(frame["item_id"])
        event_types = sorted_ids(frame["event_type"])
        return cls(
            customers,
            items,
            list(event_types),
            positions(frame["customer_id"], customers),
            positions(frame["item_id"], items),
            positions(frame["event_type"], event_types),
            frame["business_day"].to_numpy(np.int64),
        )

    def chosen(self, mask: NDArray[np.bool_]) -> Activity:
        return Activity(
            self.customers,
            self.items,
            self.event_types,
            self.customer[mask],
            self.item[mask],
            self.event_type[mask],
            self.day[mask],
        )


def weigh(activity: Activity, cut: date, half_life_days: float, event_weights: dict[str, float]) -> Pairs:
    """Interactions of all ``activity`` as of the end of ``cut``; what was bought and returned stays ``bought``."""
    shape = (len(activity.customers), len(activity.items))
    days_ago = (cut - EPOCH).days - activity.day
    if days_ago.min(initial=0) < 0:
        raise ValueError(f"activity after {cut} has no weight as of {cut}")
    # One number per customer, item, event type and day; sorted, a pair's rows lie together.
    types, days = len(activity.event_types), 1 + int(days_ago.max(initial=0))
    pair = activity.customer * shape[1] + activity.item
    ordered = np.sort((pair * types + activity.event_type) * days + days_ago)
    once = ordered[np.diff(ordered, prepend=-1) > 0]
    rest, ago = np.divmod(once, days)
    pair, event_type = np.divmod(rest, types)
    weight_of_type = np.array([event_weights.get(name, 0.0) for name in activity.event_types])
    values = np.round(weight_of_type[event_type] * np.exp2(-ago / half_life_days) / EXACT_STEP) * EXACT_STEP
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    bought = np.array([name == PURCHASE for name in activity.event_types])[event_type]
    rows, columns = np.divmod(pair[starts], shape[1])
    return pairs_of(
        activity.customers,
        activity.items,
        rows,
        columns,
        np.add.reduceat(values, starts) if len(starts) else values,
        np.logical_or.reduceat(bought, starts) if len(starts) else bought,
    )


def split_at(activity: Activity, cut: date, parameters: ModelParameters, *, customers: int, seed: int) -> Split | str:
    """History up to the end of ``cut`` and purchases after it, or the reason why there is too little to split.

    Everyone who bought after the cut is judged, or ``customers`` of them: the first by a salted hash of their ids,
    which also gives their order. Items that no history names are in no list and stay misses.
    """
    purchases = np.array([name == PURCHASE for name in activity.event_types], bool)
    after = activity.day > (cut - EPOCH).days
    future = activity.chosen(after & purchases[activity.event_type])
    buyers = np.unique(future.customer)
    if len(buyers) < MINIMUM_CUSTOMERS:
        return (
            f"history is too short to split: {len(buyers)} customers bought after {cut}, {MINIMUM_CUSTOMERS} are needed"
        )
    pairs = weigh(activity.chosen(~after), cut, parameters.half_life_days, parameters.event_weights)
    if not pairs.weights.nnz:
        return f"history is too short to split: nothing happened up to {cut}"
    judged = np.array(sorted(buyers, key=lambda number: _salted(str(activity.customers[number]), seed))[:customers])

    # Items of the history come first, so that the matrices hold these and no others.
    in_history = np.zeros(len(activity.items), bool)
    in_history[pairs.weights.indices] = in_history[pairs.bought.indices] = True
    number = np.empty(len(activity.items), np.int64)
    number[np.flatnonzero(in_history)] = np.arange(in_history.sum())
    number[np.flatnonzero(~in_history)] = np.arange(in_history.sum(), len(number))
    row = np.full(len(activity.customers), -1)
    row[judged] = np.arange(len(judged))
    bought = np.unique(np.stack([row[future.customer], number[future.item]]), axis=1)
    bought = bought[:, bought[0] >= 0]
    known = np.flatnonzero(in_history)
    return Split(pairs.weights[:, known], pairs.bought[:, known], judged, bought[0], bought[1])


def _salted(customer_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{customer_id}".encode()).digest()

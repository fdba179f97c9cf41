"""What customers did with items, as candidate models see it: arrays in, matrices out.

One element is one day on which a customer did something with an item. Days, not quantities or clicks, are counted: a
quantity may be a weight in grams, and a page may be reloaded a hundred times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Numbers = NDArray[np.int64]

UNKNOWN = -1
"""The number of a category or brand that is not known."""


def distinct(numbers: Numbers) -> Numbers:
    """Once each, ascending: what np.unique gives, in a fraction of its time where there are millions."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate([[len(ordered) > 0], np.diff(ordered) != 0])[: len(ordered)]]


MOST_HALF_LIVES = 50
"""A weight's square, 2⁻¹⁰⁰, is still a number in single precision; what is older stays known, just as little."""


def decay(days_ago: Numbers, half_life_days: float) -> NDArray[np.float64]:
    """What is left of 1: halved every ``half_life_days``, ``MOST_HALF_LIVES`` times at most.

    >>> decay(np.array([0, 14, 28]), 14.0).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.exp2(-np.minimum(days_ago / half_life_days, MOST_HALF_LIVES))


@dataclass(frozen=True)
class Catalogue:
    """Items by number: of their category and brand (items,), UNKNOWN for none, and price (items,), NaN for none."""

    category: Numbers
    brand: Numbers
    price: NDArray[np.float64]

    @classmethod
    def bare(cls, items: int) -> Catalogue:
        """Of ``items`` items of which nothing is known."""
        unknown = np.full(items, UNKNOWN, np.int64)
        return cls(unknown, unknown, np.full(items, np.nan))

    @property
    def items(self) -> int:
        return len(self.category)

    def known_of(self, items: NDArray[np.bool_]) -> Catalogue:
        """What is known of ``items`` (items,) alone; of the others nothing is."""
        return Catalogue(
            np.where(items, self.category, UNKNOWN),
            np.where(items, self.brand, UNKNOWN),
            np.where(items, self.price, np.nan),
        )

    @cached_property
    def log_price(self) -> NDArray[np.float64]:
        """(items,): of the price, NaN where it is not known or not above zero."""
        return np.log(np.where(self.price > 0, self.price, np.nan))


@dataclass(frozen=True)
class Pairs:
    """One element per customer and item, sorted by customer, then item.

    first, last: days of the first and last event; days: on how many days there was any; bought: on how many of them
    there was a purchase, or whatever event is the one to be foretold.
    """

    customer: Numbers
    item: Numbers
    first: Numbers
    last: Numbers
    days: Numbers
    bought: Numbers


@dataclass(frozen=True)
class History:
    """What ``customers`` customers did up to the end of day ``today`` (days since 1970-01-01).

    customer, item, day, weight: parallel, sorted by the first three, which occur once together; weight is what the
    events of that day are worth together, and below zero where more was returned than bought. bought: whether one of
    them was a purchase, or whatever event is the one to be foretold. segment: (customers,), a group that each belongs
    to whatever they did, such as their country; UNKNOWN for none.
    """

    customers: int
    catalogue: Catalogue
    today: int
    customer: Numbers
    item: Numbers
    day: Numbers
    weight: NDArray[np.float64]
    bought: NDArray[np.bool_]
    segment: Numbers

    @classmethod
    def of(
        cls,
        customers: int,
        catalogue: Catalogue,
        today: int,
        customer: Numbers,
        item: Numbers,
        day: Numbers,
        weight: NDArray[np.float64] | None = None,
        bought: NDArray[np.bool_] | None = None,
        segment: Numbers | None = None,
    ) -> History:
        """From elements in any order; repeated ones add up their weights, 1 each and bought unless given.

        Raises ValueError for a day after ``today``: it would be a leak of the future.
        """
        if day.max(initial=today) > today:
            raise ValueError(f"day {day.max()} lies after {today}: a history ends with its own day")
        weight = np.ones(len(day)) if weight is None else weight
        bought = np.ones(len(day), bool) if bought is None else bought
        order = np.lexsort((day, item, customer))
        customer, item, day, weight, bought = customer[order], item[order], day[order], weight[order], bought[order]
        changes = (np.diff(customer) != 0) | (np.diff(item) != 0) | (np.diff(day) != 0)
        starts = np.flatnonzero(np.concatenate([[len(day) > 0], changes]))
        if len(starts):
            weight, bought = np.add.reduceat(weight, starts), np.logical_or.reduceat(bought, starts)
        segment = np.full(customers, UNKNOWN, np.int64) if segment is None else segment
        return cls(customers, catalogue, today, customer[starts], item[starts], day[starts], weight, bought, segment)

    @property
    def items(self) -> int:
        return self.catalogue.items

    @cached_property
    def pair_starts(self) -> Numbers:
        changes = (np.diff(self.customer) != 0) | (np.diff(self.item) != 0)
        return np.flatnonzero(np.concatenate([[len(self.day) > 0], changes]))

    @cached_property
    def pairs(self) -> Pairs:
        starts = self.pair_starts
        ends = np.append(starts[1:], len(self.day)) - 1 if len(starts) else starts
        bought = np.add.reduceat(self.bought.astype(np.int64), starts) if len(starts) else starts
        return Pairs(
            self.customer[starts], self.item[starts], self.day[starts], self.day[ends], ends - starts + 1, bought
        )

    @cached_property
    def known(self) -> csr_matrix:
        """(customers, items): what was ever bought."""
        return self.matrix(self.pairs.bought)

    def weights(self, half_life_days: float = inf) -> csr_matrix:
        """(customers, items): weights by their ``decay`` up to ``today``; only what is above zero."""
        decayed = self.weight * decay(self.today - self.day, half_life_days)
        summed = np.add.reduceat(decayed, self.pair_starts) if len(self.day) else decayed
        return self.matrix(np.where(summed > 0, summed, 0))

    def matrix(self, values: NDArray[np.generic]) -> csr_matrix:
        """(customers, items) float32 of one value per pair; zeros are left out, columns lie in order."""
        begins = np.searchsorted(self.pairs.customer, np.arange(self.customers + 1))
        made = csr_matrix(
            (values.astype(np.float32), self.pairs.item, begins), shape=(self.customers, self.items), copy=True
        )
        made.eliminate_zeros()
        return made

    def up_to(self, day: int) -> History:
        """What was known at the end of ``day``.

        Of an item that nobody had met by then nothing is: the catalogue of today names what came into it since.
        """
        past = self.chosen(self.day <= day)
        met = np.zeros(self.items, bool)
        met[past.item] = True
        return replace(past, today=day, catalogue=self.catalogue.known_of(met))

    def chosen(self, elements: NDArray[np.bool_]) -> History:
        """These elements alone."""
        return replace(
            self,
            customer=self.customer[elements],
            item=self.item[elements],
            day=self.day[elements],
            weight=self.weight[elements],
            bought=self.bought[elements],
        )

    def of_customers(self, numbers: Numbers) -> History:
        """These customers alone, numbered anew in the order given, each once."""
        place = np.full(self.customers, UNKNOWN, np.int64)
        place[numbers] = np.arange(len(numbers))
        part = self.chosen(place[self.customer] >= 0)
        return History.of(
            len(numbers),
            self.catalogue,
            self.today,
            place[part.customer],
            part.item,
            part.day,
            part.weight,
            part.bought,
            self.segment[numbers],
        )

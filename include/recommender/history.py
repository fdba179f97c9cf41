"""What customers did with items, as candidate models see it: arrays in, matrices out.

One element is one day on which a customer did something with an item. Days, not quantities or clicks, are counted: a
quantity may be a weight in grams, and a page may be reloaded a hundred times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Numbers = NDArray[np.int64]

UNKNOWN = -1
"""The number of a category or brand that is not known."""


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


@dataclass(frozen=True)
class Pairs:
    """One element per customer and item, sorted by customer, then item: first and last day, and on how many days."""

    customer: Numbers
    item: Numbers
    first: Numbers
    last: Numbers
    days: Numbers


@dataclass(frozen=True)
class History:
    """What ``customers`` customers did up to the end of day ``today`` (days since 1970-01-01).

    customer, item, day, weight: parallel, sorted by the first three, which occur once together; weight is what the
    events of that day are worth together, and below zero where more was returned than bought.
    """

    customers: int
    catalogue: Catalogue
    today: int
    customer: Numbers
    item: Numbers
    day: Numbers
    weight: NDArray[np.float64]

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
    ) -> History:
        """From elements in any order; repeated ones add up their weights, 1 each unless given.

        Raises ValueError for a day after ``today``: it would be a leak of the future.
        """
        if day.max(initial=today) > today:
            raise ValueError(f"day {day.max()} lies after {today}: a history ends with its own day")
        weight = np.ones(len(day)) if weight is None else weight
        order = np.lexsort((day, item, customer))
        customer, item, day, weight = customer[order], item[order], day[order], weight[order]
        changes = (np.diff(customer) != 0) | (np.diff(item) != 0) | (np.diff(day) != 0)
        starts = np.flatnonzero(np.concatenate([[len(day) > 0], changes]))
        summed = np.add.reduceat(weight, starts) if len(starts) else weight
        return cls(customers, catalogue, today, customer[starts], item[starts], day[starts], summed)

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
        return Pairs(self.customer[starts], self.item[starts], self.day[starts], self.day[ends], ends - starts + 1)

    def weights(self, half_life_days: float = inf) -> csr_matrix:
        """(customers, items): weights halved every ``half_life_days`` up to ``today``; only what is above zero."""
        decayed = self.weight * np.exp2((self.day - self.today) / half_life_days)
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
        """What was known at the end of ``day``."""
        known = self.day <= day
        return History(
            self.customers,
            self.catalogue,
            day,
            self.customer[known],
            self.item[known],
            self.day[known],
            self.weight[known],
        )

    def of_customers(self, numbers: Numbers) -> History:
        """These customers alone, numbered anew in the order given, each once."""
        place = np.full(self.customers, UNKNOWN, np.int64)
        place[numbers] = np.arange(len(numbers))
        customer = place[self.customer]
        chosen = customer >= 0
        elements = (customer[chosen], self.item[chosen], self.day[chosen], self.weight[chosen])
        return History.of(len(numbers), self.catalogue, self.today, *elements)

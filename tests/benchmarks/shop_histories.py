"""Made-up customers with tastes, as the recommender sees them: the same for the same seed, whatever the machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.recommender.history import Catalogue, History, Numbers

GROUPS = 50
BRANDS = 2000
TASTES = 3
"""Groups of items that a customer likes."""
LIKED_SHARE = 0.7
"""Of a customer's events, so many are with what the customer likes; the others with anything."""
SKEW = 3.0
"""Of popularity: the most popular eighth of a group makes half of its events."""


@dataclass(frozen=True)
class Shelves:
    """The items of a shop, by group. items: (items,), those of each group together. starts: (GROUPS + 1,)."""

    catalogue: Catalogue
    items: Numbers
    starts: Numbers

    @classmethod
    def of(cls, items: int, seed: int) -> Shelves:
        random = np.random.default_rng([seed, items])
        group = random.integers(0, GROUPS, items)
        catalogue = Catalogue(group, random.integers(0, BRANDS, items), random.gamma(2, 5, items))
        order = np.argsort(group, kind="stable")
        return cls(catalogue, order, np.searchsorted(group[order], np.arange(GROUPS + 1)))

    def customers(self, count: int, events: float, days: int, seed: list[int]) -> History:
        """``count`` customers with about ``events`` purchases each, spread evenly over ``days`` days."""
        random = np.random.default_rng(seed)
        customer = np.repeat(np.arange(count), random.poisson(events, count))
        tastes = random.integers(0, GROUPS, (count, TASTES))
        liked = tastes[customer, random.integers(0, TASTES, len(customer))]
        anything = random.integers(0, GROUPS, len(customer))
        group = np.where(random.random(len(customer)) < LIKED_SHARE, liked, anything)
        place = self._places(group, random.random(len(customer)))
        day = random.integers(0, days, len(customer))
        return History.of(count, self.catalogue, days - 1, customer, self.items[place], day)

    def _places(self, group: Numbers, drawn: NDArray[np.float64]) -> Numbers:
        size = np.diff(self.starts)[group]
        return self.starts[group] + (size * drawn**SKEW).astype(np.int64)

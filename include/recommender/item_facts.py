"""What is known of each item at the end of a day, whoever is asked: how much it is wanted, since when, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from include.recommender.history import UNKNOWN, History, Numbers, decay
from include.recommender.models.interface import Arrays

HALF_LIVES = (7.0, 30.0, 90.0)
"""Days: of what is popular this week, this month, this season."""

ITEM_FACTS = (
    "popularity_7",
    "popularity_30",
    "popularity_90",
    "trend_7",
    "trend_30",
    "met_7",
    "met_30",
    "met_trend",
    "met_share",
    "met_14_days",
    "met_28_days",
    "customers",
    "repeat_rate",
    "age",
    "log_price",
    "popularity_in_category",
)
"""popularity_h: customers' days with it, halved every h days, per thousand customers; trend_h: of that against the next
longer one; met_…: the same of first meetings; met_share: of popularity, first meetings; repeat_rate: of its customers,
those with a second day; age: days since anyone met it."""


@dataclass(frozen=True)
class ItemFacts:
    """values: (items, ITEM_FACTS) float32; category_share, brand_share: of all popularity, that of the item's own."""

    values: NDArray[np.float32]
    category_share: NDArray[np.float32]
    brand_share: NDArray[np.float32]

    @classmethod
    def of(cls, history: History) -> Self:
        """As known at the end of the history's day."""
        pairs, catalogue = history.pairs, history.catalogue
        active = max(len(np.unique(pairs.customer)), 1) / 1000

        def decayed(item: Numbers, day: Numbers, half_life: float) -> NDArray[np.float64]:
            return np.bincount(item, decay(history.today - day, half_life), minlength=history.items) / active

        popularity = [decayed(history.item, history.day, half_life) for half_life in HALF_LIVES]
        met = [decayed(pairs.item, pairs.first, half_life) for half_life in HALF_LIVES[:2]]
        customers = np.bincount(pairs.item, minlength=history.items)
        some = np.maximum(customers, 1)
        first = np.full(history.items, history.today)
        np.minimum.at(first, pairs.item, pairs.first)
        smallest = 0.5 / active
        category_share = _share_of_own(popularity[1], catalogue.category)

        def met_within(days: int) -> NDArray[np.float64]:
            return np.bincount(pairs.item, pairs.first > history.today - days, minlength=history.items) / some

        values = (
            *popularity,
            popularity[0] / (popularity[1] + smallest),
            popularity[1] / (popularity[2] + smallest),
            *met,
            met[0] / (met[1] + smallest),
            met[1] / (popularity[1] + smallest),
            met_within(14),
            met_within(28),
            customers / active,
            np.bincount(pairs.item, pairs.days > 1, minlength=history.items) / some,
            history.today - first,
            catalogue.log_price,
            popularity[1] / np.maximum(category_share * popularity[1].sum(), smallest),
        )
        return cls(
            np.column_stack(values).astype(np.float32),
            category_share.astype(np.float32),
            _share_of_own(popularity[1], catalogue.brand).astype(np.float32),
        )

    def of_name(self, name: str) -> NDArray[np.float32]:
        """(items,): the fact of this name in ITEM_FACTS."""
        return self.values[:, ITEM_FACTS.index(name)]

    def arrays(self) -> Arrays:
        """What ``restore`` needs."""
        return {"values": self.values, "category_share": self.category_share, "brand_share": self.brand_share}

    @classmethod
    def restore(cls, arrays: Arrays) -> Self:
        return cls(arrays["values"], arrays["category_share"], arrays["brand_share"])


def _share_of_own(popularity: NDArray[np.float64], group: Numbers) -> NDArray[np.float64]:
    """(items,): the share of all popularity that lies in the item's own group, 0 for none."""
    known = group != UNKNOWN
    sums = np.bincount(group[known], popularity[known], minlength=int(group.max(initial=0)) + 1)
    return np.where(known, sums[np.where(known, group, 0)], 0) / max(popularity.sum(), 1e-12)

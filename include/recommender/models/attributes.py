"""What is like the customer's own items by category, brand and price: the only model that can speak for a new item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.recommender.history import UNKNOWN, Catalogue, History, Numbers
from include.recommender.models.interface import Arrays, Explanation, pack, reach, unpack

SMALLEST = float(np.finfo(np.float64).tiny)
"""Below any sum of weights: those of long ago are small, and still make whole shares."""


@dataclass(frozen=True)
class AttributesParameters:
    half_life_days: float = 120.0
    categories: int = 10
    """Favourite ones of a customer, whose items have a score."""
    items_per_category: int = 300
    """Of those the most popular, and of the new ones as many again."""
    brand_weight: float = 2.0
    """How much more an item of a brand that is all the customer buys scores than one of a brand never bought."""
    price_spread: float = 1.0
    """Of the normal curve over the difference of log prices."""


@dataclass(frozen=True)
class Attributes:
    """popularity: (items,), decayed; new items stand at the median of those anyone met."""

    parameters: AttributesParameters
    popularity: NDArray[np.float32]
    by_category: csr_matrix
    """(categories, items): the items that are scored in each, by their share of its popularity."""

    name: ClassVar[str] = "attributes"

    @classmethod
    def fit(cls, history: History, parameters: AttributesParameters, *, threads: int = 1) -> Self:
        weights = history.weights(parameters.half_life_days)
        met_with = np.bincount(weights.indices, weights.data.astype(np.float64), minlength=history.items)
        met = met_with > 0
        of_new = float(np.median(met_with[met])) if met.any() else 1.0
        popularity = np.where(met, met_with, of_new).astype(np.float64)
        by_category = _by_category(history.catalogue, popularity, met, parameters)
        return cls(parameters, popularity.astype(np.float32), by_category)

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        weights = history.weights(self.parameters.half_life_days)
        catalogue = history.catalogue
        items, values, begins = [], [], [0]
        for row in range(history.customers):
            begin, end = weights.indptr[row], weights.indptr[row + 1]
            scored, score = self._of_customer(weights.indices[begin:end], weights.data[begin:end], catalogue)
            items.append(scored)
            values.append(score)
            begins.append(begins[-1] + len(scored))
        made = csr_matrix(
            (
                np.concatenate([np.zeros(0, np.float32), *values]),
                np.concatenate([np.zeros(0, np.int64), *items]),
                begins,
            ),
            shape=(history.customers, history.items),
        )
        return reach(made, history)

    def _of_customer(
        self, own: NDArray[np.integer], weights: NDArray[np.float32], catalogue: Catalogue
    ) -> tuple[Numbers, NDArray[np.float32]]:
        shares = _shares(catalogue.category[own], weights)
        best = sorted(shares, key=lambda category: (-shares[category], category))[: self.parameters.categories]
        best = [category for category in best if category < self.by_category.shape[0]]
        if not best:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        rows = self.by_category[best]
        items = rows.indices.astype(np.int64)
        liking = np.repeat([shares[category] for category in best], np.diff(rows.indptr)) * rows.data
        brands = _shares(catalogue.brand[own], weights)
        of_brand = np.zeros(int(catalogue.brand.max(initial=0)) + 2)
        of_brand[list(brands)] = list(brands.values())
        # UNKNOWN asks for the last place, which is nobody's.
        liking *= 1 + self.parameters.brand_weight * of_brand[catalogue.brand[items]]
        liking *= self._price_fit(own, weights, items, catalogue)
        return items, liking.astype(np.float32)

    def _price_fit(
        self, own: NDArray[np.integer], weights: NDArray[np.float32], items: Numbers, catalogue: Catalogue
    ) -> NDArray[np.float64]:
        logs = catalogue.log_price
        known = np.isfinite(logs[own])
        if not known.any():
            return np.ones(len(items))
        usual = np.average(logs[own][known], weights=weights[known])
        distance = np.nan_to_num(logs[items] - usual, nan=self.parameters.price_spread)
        return np.exp(-0.5 * (distance / self.parameters.price_spread) ** 2)

    def explain(self, history: History) -> Explanation:
        """What the customer has most of in the item's category."""
        weights, category = history.weights(self.parameters.half_life_days), history.catalogue.category

        def contributions(customer: int, listed: Numbers) -> tuple[Numbers, NDArray[np.float64]]:
            begin, end = weights.indptr[customer : customer + 2]
            own = weights.indices[begin:end].astype(np.int64)
            same = (category[own][:, None] == category[listed][None, :]) & (category[listed] != UNKNOWN)
            return own, np.where(same, weights.data[begin:end][:, None], 0.0)

        return contributions

    def arrays(self) -> Arrays:
        return pack(self.by_category, "by_category") | {"popularity": self.popularity}

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(AttributesParameters(**parameters), arrays["popularity"], unpack(arrays, "by_category"))


def _shares(groups: Numbers, weights: NDArray[np.float32]) -> dict[int, float]:
    """The share of the weight in each known group."""
    known = groups != UNKNOWN
    names, place = np.unique(groups[known], return_inverse=True)
    sums = np.bincount(place, weights[known], minlength=len(names))
    return dict(zip(names.tolist(), (sums / max(float(weights.sum(dtype=np.float64)), SMALLEST)).tolist(), strict=True))


def _by_category(
    catalogue: Catalogue, popularity: NDArray[np.float64], met: NDArray[np.bool_], parameters: AttributesParameters
) -> csr_matrix:
    known = np.flatnonzero(catalogue.category != UNKNOWN)
    # By category, those met before the new ones, the most popular first, then by number.
    order = known[np.lexsort((known, -popularity[known], ~met[known], catalogue.category[known]))]
    group = catalogue.category[order] * 2 + ~met[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    order = order[place < parameters.items_per_category]
    category = catalogue.category[order]
    total = np.bincount(category, popularity[order])
    share = popularity[order] / total[category] if len(order) else popularity[order]
    shape = (int(category.max(initial=-1)) + 1, catalogue.items)
    return csr_matrix((share.astype(np.float32), (category, order)), shape=shape)

"""Items that the same customers have: item-based collaborative filtering (Sarwar et al. 2001), by way of ``implicit``.

Likeness is the cosine of items' columns, each customer's row first brought to length 1, so that whoever has everything
says little about any two items (Deshpande and Karypis 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from include.recommender.history import History
from include.recommender.models.interface import (
    Arrays,
    Explanation,
    buyers,
    linear,
    nothing,
    pack,
    reach,
    to_power,
    unit_rows,
    unpack,
)


@dataclass(frozen=True)
class ItemNeighboursParameters:
    half_life_days: float = 60.0
    power: float = 0.5
    """Of a weight: below 1, a tenth day with an item says less than the first."""
    neighbours: int = 100
    minimum_customers: int = 3
    """Fewer say nothing about which items go together."""


@dataclass(frozen=True)
class ItemNeighbours:
    """likeness: (items, items), each row an item's nearest."""

    parameters: ItemNeighboursParameters
    likeness: csr_matrix

    name: ClassVar[str] = "item_neighbours"

    @classmethod
    def fit(cls, history: History, parameters: ItemNeighboursParameters, *, threads: int = 1) -> Self:
        from implicit.nearest_neighbours import ItemItemRecommender

        rows = _rows(history, parameters)
        kept = np.flatnonzero(buyers(rows) >= parameters.minimum_customers)
        shape = (history.items, history.items)
        if not len(kept):
            return cls(parameters, nothing(*shape))
        columns = unit_rows(rows[:, kept].T.tocsr()).T.tocsr().astype(np.float64)
        solver = ItemItemRecommender(K=parameters.neighbours + 1, num_threads=threads)
        solver.fit(columns, show_progress=False)
        found = solver.similarity.tocoo()
        return cls(parameters, _without_self(found, kept, shape))

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        return reach(_rows(history, self.parameters) @ self.likeness, history)

    def explain(self, history: History) -> Explanation:
        return linear(_rows(history, self.parameters), self.likeness)

    def arrays(self) -> Arrays:
        return pack(self.likeness, "likeness")

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(ItemNeighboursParameters(**parameters), unpack(arrays, "likeness"))


def _rows(history: History, parameters: ItemNeighboursParameters) -> csr_matrix:
    return unit_rows(to_power(history.weights(parameters.half_life_days), parameters.power))


def _without_self(found: coo_matrix, kept: NDArray[np.int64], shape: tuple[int, int]) -> csr_matrix:
    other = found.row != found.col
    rows, columns = kept[found.row[other]], kept[found.col[other]]
    likeness = csr_matrix((found.data[other].astype(np.float32), (rows, columns)), shape=shape)
    likeness.sort_indices()
    return likeness

"""What most customers want lately: the yardstick of every other model, and the last rung for a new customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.recommender.history import History
from include.recommender.models.interface import Arrays, reach


@dataclass(frozen=True)
class PopularityParameters:
    half_life_days: float = 14.0
    counts: str = "days"
    """What counts: "days" that customers had the item, or "customers" by the day on which they met it first."""
    longest: int = 1000
    """Only so many items have a score."""


@dataclass(frozen=True)
class Popularity:
    """The same scores (items,) for everyone."""

    parameters: PopularityParameters
    popularity: NDArray[np.float32]

    name: ClassVar[str] = "popularity"

    @classmethod
    def fit(cls, history: History, parameters: PopularityParameters, *, threads: int = 1) -> Self:
        if parameters.counts == "customers":
            pairs = history.pairs
            decayed = np.exp2((pairs.first - history.today) / parameters.half_life_days)
            popularity = np.bincount(pairs.item, decayed, minlength=history.items)
        else:
            weights = history.weights(parameters.half_life_days)
            popularity = np.bincount(weights.indices, weights.data, minlength=history.items)
        order = np.lexsort((np.arange(len(popularity)), -popularity))
        popularity[order[parameters.longest :]] = 0
        return cls(parameters, popularity.astype(np.float32))

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        items = np.flatnonzero(self.popularity)
        values = np.tile(self.popularity[items], history.customers)
        begins = np.arange(history.customers + 1) * len(items)
        shape = (history.customers, len(self.popularity))
        return reach(csr_matrix((values, np.tile(items, history.customers), begins), shape=shape), history)

    def arrays(self) -> Arrays:
        return {"popularity": self.popularity}

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(PopularityParameters(**parameters), arrays["popularity"])

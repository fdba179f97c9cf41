"""What most customers want lately: the yardstick of every other model, and the last rung for a new customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from include.recommender.history import UNKNOWN, History, decay
from include.recommender.models.interface import Arrays, nothing, pack, reach, unpack


@dataclass(frozen=True)
class PopularityParameters:
    half_life_days: float = 14.0
    counts: str = "days"
    """What counts: "days" that customers had the item, or "customers" by the day on which they met it first."""
    longest: int = 1000
    """Only so many items have a score."""
    segment_strength: float = 200.0
    """So many days or customers of a segment weigh as much as what everyone wants."""


@dataclass(frozen=True)
class Popularity:
    """The same scores for everyone of a segment.

    popularity: (items,), of everyone. by_segment: (segments, items), shrunk towards everyone's: what few customers want
    says little.
    """

    parameters: PopularityParameters
    popularity: NDArray[np.float32]
    by_segment: csr_matrix

    name: ClassVar[str] = "popularity"

    @classmethod
    def fit(cls, history: History, parameters: PopularityParameters, *, threads: int = 1) -> Self:
        counted = _counted(history, parameters)
        popularity = np.asarray(counted.sum(axis=0), np.float64).ravel()
        segments = int(history.segment.max(initial=UNKNOWN)) + 1
        rows = [
            csr_matrix(_longest(_shrunk(of_segment, popularity, parameters), parameters))
            for of_segment in (counted[np.flatnonzero(history.segment == segment)] for segment in range(segments))
        ]
        by_segment = vstack(rows, format="csr") if rows else nothing(0, history.items)
        return cls(parameters, _longest(popularity, parameters), by_segment)

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        known = (history.segment != UNKNOWN) & (history.segment < self.by_segment.shape[0])
        table = vstack([csr_matrix(self.popularity), self.by_segment], format="csr")
        return reach(table[np.where(known, history.segment + 1, 0)], history)

    def arrays(self) -> Arrays:
        return {"popularity": self.popularity} | pack(self.by_segment, "by_segment")

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(PopularityParameters(**parameters), arrays["popularity"], unpack(arrays, "by_segment"))


def _counted(history: History, parameters: PopularityParameters) -> csr_matrix:
    """(customers, items)."""
    if parameters.counts == "customers":
        return history.matrix(decay(history.today - history.pairs.first, parameters.half_life_days))
    return history.weights(parameters.half_life_days)


def _shrunk(
    of_segment: csr_matrix, popularity: NDArray[np.float64], parameters: PopularityParameters
) -> NDArray[np.float64]:
    """(items,): as everyone's would be if all customers wanted what the segment wants."""
    local, total = np.asarray(of_segment.sum(axis=0), np.float64).ravel(), popularity.sum()
    strength = parameters.segment_strength
    return (local * total + strength * popularity) / (local.sum() + strength)


def _longest(popularity: NDArray[np.float64], parameters: PopularityParameters) -> NDArray[np.float32]:
    order = np.lexsort((np.arange(len(popularity)), -popularity))
    kept = popularity.copy()
    kept[order[parameters.longest :]] = 0
    return kept.astype(np.float32)

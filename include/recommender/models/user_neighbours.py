"""What customers of like taste have lately: user-based collaborative filtering (Resnick et al. 1994).

Likeness is the cosine of decayed histories, each item weighted by its inverse document frequency: that two customers
share milk says little, that they share saffron a lot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, vstack

from include.recommender.history import History
from include.recommender.models.interface import Arrays, buyers, nothing, pack, reach, to_power, unit_rows, unpack

SAME = 1 - 1e-5
"""A neighbour this alike is the customer, or a double: it would only say what the own history says."""
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class UserNeighboursParameters:
    half_life_days: float = 60.0
    """Of the histories that are compared."""
    votes_half_life_days: float = 60.0
    """Of what the neighbours vote with."""
    power: float = 0.5
    """Of a weight: below 1, a tenth day with an item says less than the first."""
    neighbours: int = 100
    references: int = 20_000
    """Customers who may be a neighbour: those with the longest histories, so that cost stays bounded."""


@dataclass(frozen=True)
class UserNeighbours:
    """profiles: (references, items), unit rows. votes: (references, items). idf: (items,)."""

    parameters: UserNeighboursParameters
    profiles: csr_matrix
    votes: csr_matrix
    idf: NDArray[np.float32]

    name: ClassVar[str] = "user_neighbours"

    @classmethod
    def fit(cls, history: History, parameters: UserNeighboursParameters, *, threads: int = 1) -> Self:
        weights = history.weights(parameters.half_life_days)
        frequency = buyers(weights)
        active = int((np.diff(weights.indptr) > 0).sum())
        idf = np.log(max(active, 1) / np.maximum(frequency, 1)).astype(np.float32)
        longest = np.argsort(-np.diff(weights.indptr), kind="stable")[: parameters.references]
        chosen = np.sort(longest)
        votes = to_power(history.weights(parameters.votes_half_life_days)[chosen], parameters.power)
        return cls(parameters, _profiles(weights[chosen], idf, parameters.power), votes, idf)

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        profiles = _profiles(history.weights(self.parameters.half_life_days), self.idf, self.parameters.power)
        by_item = self.profiles.T.tocsr()
        parts = []
        for start in range(0, history.customers, ROWS_AT_ONCE):
            some = np.arange(start, min(start + ROWS_AT_ONCE, history.customers))
            votes = self._nearest(profiles[some] @ by_item) @ self.votes
            parts.append(reach(votes, history.of_customers(some)))
        return _stack(parts, len(self.idf))

    def _nearest(self, likeness: csr_matrix) -> csr_matrix:
        """(customers, references): the likest ``neighbours`` of each, as shares that add up to 1."""
        columns, values, begins = [], [], [0]
        for row in range(likeness.shape[0]):
            begin, end = likeness.indptr[row], likeness.indptr[row + 1]
            who, how = likeness.indices[begin:end], likeness.data[begin:end]
            other = (how > 0) & (how < SAME)
            who, how = who[other], how[other]
            order = np.lexsort((who, -how))[: self.parameters.neighbours]
            columns.append(who[order])
            values.append(how[order] / max(float(how[order].sum(dtype=np.float64)), np.finfo(np.float32).tiny))
            begins.append(begins[-1] + len(order))
        return csr_matrix((np.concatenate(values), np.concatenate(columns), begins), shape=likeness.shape)

    def arrays(self) -> Arrays:
        return pack(self.profiles, "profiles") | pack(self.votes, "votes") | {"idf": self.idf}

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        profiles, votes = unpack(arrays, "profiles"), unpack(arrays, "votes")
        return cls(UserNeighboursParameters(**parameters), profiles, votes, arrays["idf"])


def _profiles(weights: csr_matrix, idf: NDArray[np.float32], power: float) -> csr_matrix:
    scaled = (to_power(weights, power) @ diags_array(idf)).tocsr()
    return unit_rows(scaled.astype(np.float32))


def _stack(parts: list[csr_matrix], items: int) -> csr_matrix:
    if not parts:
        return nothing(0, items)
    return csr_matrix(vstack(parts, format="csr"))

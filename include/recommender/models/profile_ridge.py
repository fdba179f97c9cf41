"""Ridge regression of each item on customers' profiles: a baseline that stays in the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from include.recommender.history import UNKNOWN, History
from include.recommender.models.interface import Arrays, most_met, reach, unit_rows


@dataclass(frozen=True)
class ProfileRidgeParameters:
    half_life_days: float = 60.0
    regularization: float = 10.0
    items: int = 2000
    """The most-met ones, which have a score."""


@dataclass(frozen=True)
class ProfileRidge:
    """A profile is what share of a customer's weight each category has; coefficients: (categories + 1, covered)."""

    parameters: ProfileRidgeParameters
    covered: NDArray[np.int64]
    coefficients: NDArray[np.float32]

    name: ClassVar[str] = "profile_ridge"

    @classmethod
    def fit(cls, history: History, parameters: ProfileRidgeParameters, *, threads: int = 1) -> Self:
        weights = history.weights(parameters.half_life_days)
        covered = most_met(weights, parameters.items)
        categories = int(history.catalogue.category.max(initial=-1)) + 1
        profiles = _profiles(history, parameters, categories)
        system = profiles.T @ profiles + parameters.regularization * np.eye(categories + 1)
        wanted = (weights > 0).astype(np.float64).tocsr()[:, covered]
        with threadpool_limits(1, user_api="blas"):
            coefficients = np.linalg.solve(system, np.asarray((wanted.T @ profiles).T))
        return cls(parameters, covered, coefficients.astype(np.float32))

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        profiles = _profiles(history, self.parameters, len(self.coefficients) - 1)
        some = np.flatnonzero(np.diff(history.weights(self.parameters.half_life_days).indptr))
        # Each row alone: the last bits of BLAS' products hang on how many it makes at once.
        rows = [np.maximum(profiles[row] @ self.coefficients, 0) for row in some]
        dense = np.array(rows, np.float32).reshape(len(some), len(self.covered))
        begins = np.zeros(history.customers + 1, np.int64)
        begins[some + 1] = len(self.covered)
        scores = csr_matrix(
            (dense.ravel(), np.tile(self.covered, len(some)), np.cumsum(begins)),
            shape=(history.customers, history.items),
        )
        scores.eliminate_zeros()
        return reach(scores, history)

    def arrays(self) -> Arrays:
        return {"covered": self.covered, "coefficients": self.coefficients}

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(ProfileRidgeParameters(**parameters), arrays["covered"], arrays["coefficients"])


def _profiles(history: History, parameters: ProfileRidgeParameters, categories: int) -> NDArray[np.float64]:
    """(customers, categories + 1), the last one 1 for everyone."""
    weights = history.weights(parameters.half_life_days)
    category = history.catalogue.category
    known = np.flatnonzero((category != UNKNOWN) & (category < categories))
    members = csr_matrix((np.ones(len(known)), (known, category[known])), shape=(history.items, categories))
    profiles = unit_rows((weights @ members).tocsr()).toarray().astype(np.float64)
    return np.hstack([profiles, np.ones((history.customers, 1))])

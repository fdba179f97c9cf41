"""EASE (Steck 2019): the linear item-item model whose best solution has a closed form.

Its cost grows with the cube of the number of items, so it covers the most-met ones; others have no score here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, eye_array
from threadpoolctl import threadpool_limits

from include.recommender.history import History
from include.recommender.models.interface import (
    Arrays,
    Explanation,
    linear,
    most_met,
    nothing,
    pack,
    reach,
    to_power,
    unpack,
)


@dataclass(frozen=True)
class EaseParameters:
    half_life_days: float = 60.0
    power: float = 0.5
    """Of a weight: below 1, a tenth day with an item says less than the first."""
    regularization: float = 200.0
    items: int = 4000
    """The most-met ones, which the model covers."""
    kept: int = 2_000_000
    """Weights that are kept: the largest of each item. In a large catalogue the others are noise, and fill memory."""


@dataclass(frozen=True)
class Ease:
    """weights: (items, items), from what a customer has to what it speaks for."""

    parameters: EaseParameters
    weights: csr_matrix

    name: ClassVar[str] = "ease"

    @classmethod
    def fit(cls, history: History, parameters: EaseParameters, *, threads: int = 1) -> Self:
        met = history.weights(parameters.half_life_days)
        covered = most_met(met, parameters.items)
        shape = (history.items, history.items)
        if not len(covered):
            return cls(parameters, nothing(*shape))
        rows = to_power(met, parameters.power)[:, covered]
        gram = (rows.T @ rows + parameters.regularization * eye_array(len(covered))).toarray().astype(np.float32)
        precision = _inverse(gram)
        weights = precision / -np.diag(precision)
        np.fill_diagonal(weights, 0)
        return cls(parameters, _largest(weights, covered, parameters.kept, shape))

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        return reach(self._rows(history) @ self.weights, history)

    def explain(self, history: History) -> Explanation:
        return linear(self._rows(history), self.weights)

    def _rows(self, history: History) -> csr_matrix:
        return to_power(history.weights(self.parameters.half_life_days), self.parameters.power)

    def arrays(self) -> Arrays:
        return pack(self.weights, "weights")

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(EaseParameters(**parameters), unpack(arrays, "weights"))


def _inverse(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a symmetric positive definite matrix, by Cholesky: half the work of a general one."""
    # One thread: BLAS adds in another order with more of them.
    with threadpool_limits(1, user_api="blas"):
        factor, failed = lapack.spotrf(gram, lower=1)
        lower, failed_too = lapack.spotri(factor, lower=1)
    if failed or failed_too:
        raise ValueError("EASE's Gram matrix cannot be inverted: give it more regularization")
    return np.tril(lower) + np.tril(lower, -1).T


def _largest(weights: NDArray[np.float32], covered: NDArray[np.int64], kept: int, shape: tuple[int, int]) -> csr_matrix:
    """The ``kept`` entries of largest size in each column, numbered as the catalogue is."""
    kept = min(max(kept // len(covered), 1), len(covered))
    rows = np.argpartition(-np.abs(weights), kept - 1, axis=0)[:kept]
    columns = np.broadcast_to(np.arange(len(covered)), rows.shape)
    chosen = csr_matrix(
        (weights[rows, columns].ravel(), (covered[rows.ravel()], covered[columns.ravel()])), shape=shape
    )
    chosen.eliminate_zeros()
    chosen.sort_indices()
    return chosen

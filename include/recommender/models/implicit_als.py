"""Implicit-feedback ALS (Hu, Koren, Volinsky 2008) by way of ``implicit``, regularised by frequency.

``implicit`` regularises every row alike. Rendle et al. 2021 scale a row's regularisation by how much it was seen, to
the power ν, so rows are solved in groups of like frequency by the library's own solver, each with its own
regularisation. Only item factors are kept; a customer's are solved from the history at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from include.recommender.history import History, Numbers
from include.recommender.models.best_items import Factors, best_items
from include.recommender.models.interface import REACH, Arrays, Explanation, buyers

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares

GROUPS_PER_DOUBLING = 2
"""Rows whose frequencies differ by less than a factor of 2 ** (1 / this) share one regularisation."""


@dataclass(frozen=True)
class ImplicitAlsParameters:
    half_life_days: float = 30.0
    transform: str = "root"
    """Of a weight w into what is added to a confidence: "raw" w, "root" √w, "log" ln(1 + w), "binary" 1."""
    factors: int = 64
    regularization: float = 15.0
    """Of a row of average frequency."""
    frequency_scaling: float = 1.0
    """ν: 0 regularises every row alike, 1 in proportion to its frequency."""
    alpha: float = 4.0
    """The confidence in a pair is 1 + alpha × transform(weight), in all others 1."""
    iterations: int = 8
    warm_iterations: int = 2
    """From an earlier night's factors."""
    minimum_customers: int = 2
    """An item of fewer says nothing about others."""
    seed: int = 20170101


@dataclass(frozen=True)
class ImplicitAls:
    """item_factors: (items, factors), zeros for an item that it does not know; frequency: of customers, on average."""

    parameters: ImplicitAlsParameters
    item_factors: Factors
    customer_frequency: float

    name: ClassVar[str] = "als"

    @classmethod
    def fit(
        cls,
        history: History,
        parameters: ImplicitAlsParameters,
        *,
        threads: int = 1,
        start: Factors | None = None,
    ) -> Self:
        """start: item factors (items, factors) of an earlier night, from which ``warm_iterations`` do."""
        weights = _confidences(history, parameters)
        known = np.flatnonzero(buyers(weights) >= parameters.minimum_customers)
        by_customer = weights[:, known].tocsr()
        by_item = by_customer.T.tocsr()
        factors = np.zeros((history.items, parameters.factors), np.float32)
        # Whoever has nothing, such as who comes only after a cut, counts neither in the average nor as random rows.
        silent = np.diff(by_customer.indptr) == 0
        frequency = float(by_customer.nnz / max((~silent).sum(), 1))
        if not len(known):
            return cls(parameters, factors, frequency)
        generator = np.random.default_rng(parameters.seed)
        customers = _random(generator, history.customers, parameters.factors)
        customers[silent] = 0
        items = _random(generator, len(known), parameters.factors)
        if start is not None:
            learned = start[known].any(axis=1)
            items[learned] = start[known][learned]
        customer_groups = _groups(by_customer, frequency, parameters)
        item_groups = _groups(by_item, by_item.nnz / len(known), parameters)
        with _solver(parameters, threads) as solver:
            for _ in range(parameters.iterations if start is None else parameters.warm_iterations):
                _solve(solver, customer_groups, customers, items, threads)
                _solve(solver, item_groups, items, customers, threads)
        factors[known] = items
        return cls(parameters, factors, frequency)

    def customer_factors(self, history: History, *, threads: int = 1) -> Factors:
        """(customers, factors), solved exactly; zeros for a customer without any weight."""
        weights = _confidences(history, self.parameters)
        factors = np.zeros((history.customers, self.parameters.factors), np.float32)
        for numbers, regularization, rows in _groups(weights, self.customer_frequency, self.parameters):
            with _solver(self.parameters, threads) as solver:
                solver.regularization = regularization
                solver.item_factors = self.item_factors
                factors[numbers] = solver.recalculate_user(np.arange(len(numbers)), rows)
        return factors

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        factors, pairs = self.customer_factors(history, threads=threads), history.pairs
        own = history.matrix(np.ones(len(pairs.item)))
        others, values = best_items(
            self.item_factors, factors, min(REACH, history.items), excluded=own, threads=threads
        )
        found = others >= 0
        rows = np.repeat(np.arange(history.customers), found.sum(axis=1))
        of_own = _products(factors, self.item_factors, pairs.customer, pairs.item)
        positive = of_own > 0
        return csr_matrix(
            (
                np.concatenate([values[found], of_own[positive]]),
                (
                    np.concatenate([rows, pairs.customer[positive]]),
                    np.concatenate([others[found], pairs.item[positive]]),
                ),
            ),
            shape=(history.customers, history.items),
        )

    def explain(self, history: History) -> Explanation:
        """The score of item i is Σ_j s_ij over history items j, s_ij = c_j y_iᵀ W y_j (Hu et al. 2008, section 5),

        with W = (YᵀY + Yᵀ(C − I)Y + λI)⁻¹; one solve per customer for all its listed items.
        """
        confidences = _confidences(history, self.parameters)
        y = self.item_factors
        gram = y.T @ y
        regularizations = np.zeros(history.customers)
        for numbers, regularization, _ in _groups(confidences, self.customer_frequency, self.parameters):
            regularizations[numbers] = regularization

        def contributions(customer: int, listed: Numbers) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
            begin, end = confidences.indptr[customer : customer + 2]
            own, confidence = confidences.indices[begin:end], confidences.data[begin:end]
            if not len(own):
                return own, np.zeros((0, len(listed)))
            of_own = y[own]
            system = gram + (of_own.T * (confidence - 1)) @ of_own
            system[np.diag_indices(len(system))] += np.float32(regularizations[customer])
            brought = (of_own @ np.linalg.solve(system, y[listed].T)) * confidence[:, None]
            return own, brought.astype(np.float64)

        return contributions

    def arrays(self) -> Arrays:
        return {"item_factors": self.item_factors, "customer_frequency": np.array(self.customer_frequency)}

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(ImplicitAlsParameters(**parameters), arrays["item_factors"], float(arrays["customer_frequency"]))


_TRANSFORMS: dict[str, Callable[[Factors], Factors]] = {
    "raw": np.positive,
    "root": np.sqrt,
    "log": np.log1p,
    "binary": np.ones_like,
}

PAIRS_AT_ONCE = 50_000

Group = tuple[NDArray[np.int64], float, csr_matrix]
"""Numbers of rows, their regularisation, and the rows."""


def _confidences(history: History, parameters: ImplicitAlsParameters) -> csr_matrix:
    weights = history.weights(parameters.half_life_days)
    weights.data = (1 + parameters.alpha * _TRANSFORMS[parameters.transform](weights.data)).astype(np.float32)
    return weights


def _products(customers: Factors, items: Factors, rows: Numbers, columns: Numbers) -> NDArray[np.float32]:
    """The score of each pair, the same bits whatever other pairs there are."""
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        scores[part] = np.einsum("pf,pf->p", customers[rows[part]], items[columns[part]])
    return scores


def _random(generator: np.random.Generator, rows: int, factors: int) -> Factors:
    return generator.random((rows, factors), np.float32) * np.float32(0.01)


def _groups(rows: csr_matrix, average: float, parameters: ImplicitAlsParameters) -> list[Group]:
    """Rows with any element, by frequency."""
    frequency = np.diff(rows.indptr) / max(average, 1e-9)
    level = np.round(np.log2(np.maximum(frequency, 1e-9)) * GROUPS_PER_DOUBLING)
    some = np.diff(rows.indptr) > 0
    groups = []
    for value in np.unique(level[some]):
        numbers = np.flatnonzero((level == value) & some)
        scale = 2.0 ** (value / GROUPS_PER_DOUBLING * parameters.frequency_scaling)
        groups.append((numbers, float(parameters.regularization * scale), rows[numbers]))
    return groups


def _solve(solver: AlternatingLeastSquares, groups: list[Group], solved: Factors, fixed: Factors, threads: int) -> None:
    """One half step, in place."""
    for numbers, regularization, rows in groups:
        part = np.ascontiguousarray(solved[numbers])
        solver.solver(rows, part, fixed, regularization, num_threads=threads)
        solved[numbers] = part


@contextmanager
def _solver(parameters: ImplicitAlsParameters, threads: int) -> Iterator[AlternatingLeastSquares]:
    """The library's model with BLAS held to one thread: it brings its own, and the two would fight for cores."""
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpool_limits(1, user_api="blas"):
        yield AlternatingLeastSquares(factors=parameters.factors, num_threads=threads)

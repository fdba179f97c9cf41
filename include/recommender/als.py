"""Implicit-feedback ALS (Hu, Koren, Volinsky 2008) by way of the ``implicit`` library: arrays in, arrays out.

Only item factors are kept. A customer's factors are solved exactly from today's interactions when they are needed, so
a customer who came after the training, and what was bought since, count at once. Judging and serving take the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from include.settings import Settings

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares

Factors = NDArray[np.float32]

NOTHING = -1
"""The item number where a list has ended."""

SPARE = 8
"""Candidates beyond a list's length."""
PADDING = float(np.finfo(np.float32).min)
"""The library's score of an item that is not to be listed."""
ROWS_AT_ONCE = 1024

MINIMUM_ITEM_CUSTOMERS = 2
"""What only one customer ever touched says nothing about others, and is nearly half of a grocer's catalogue."""


@dataclass(frozen=True)
class ModelParameters:
    """What a fit depends on besides its data, how interactions are weighted included."""

    factors: int
    regularization: float
    alpha: float
    iterations: int
    seed: int
    half_life_days: float
    event_weights: dict[str, float]

    @classmethod
    def of(cls, settings: Settings) -> ModelParameters:
        model, features = settings.recommender, settings.features
        return cls(
            factors=model.factors,
            regularization=model.regularization,
            alpha=model.alpha,
            iterations=model.iterations,
            seed=model.seed,
            half_life_days=features.half_life_days,
            event_weights=dict(sorted(features.event_weights.items())),
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fit_item_factors(weights: csr_matrix, parameters: ModelParameters, threads: int) -> Factors:
    """Item factors (items, factors) from ``weights`` (customers, items), the same bits for any number of threads.

    Zeros for an item of fewer than MINIMUM_ITEM_CUSTOMERS customers.
    """
    shared = np.flatnonzero(np.bincount(weights.indices, minlength=weights.shape[1]) >= MINIMUM_ITEM_CUSTOMERS)
    factors = np.zeros((weights.shape[1], parameters.factors), np.float32)
    if len(shared):
        with _solver(parameters, threads) as solver:
            solver.fit(weights[:, shared].astype(np.float32), show_progress=False)
            factors[shared] = solver.item_factors
    return factors


def fold_in(item_factors: Factors, weights: csr_matrix, parameters: ModelParameters, threads: int) -> Factors:
    """Customer factors (customers, factors) solved from their ``weights``; zeros for a customer without any."""
    if not weights.shape[0]:
        return np.zeros((0, parameters.factors), np.float32)
    with _solver(parameters, threads) as solver:
        solver.item_factors = item_factors
        return np.asarray(solver.recalculate_user(np.arange(weights.shape[0]), weights.astype(np.float32)))


def best_items(
    item_factors: Factors,
    customer_factors: Factors,
    length: int,
    *,
    excluded: csr_matrix | None = None,
    refused_items: NDArray[np.integer] | None = None,
    threads: int = 1,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Items and scores (customers, length) of highest score, best first.

    excluded: (customers, items), what not to list for each customer. refused_items: what not to list for anyone.
    A list ends in NOTHING with score 0 where candidates run out: the library pads with excluded items at -3.4e38, and
    a score of 0 or below says nothing in favour of an item. Equal scores come by item number. A customer's list is the
    same among any other customers: the last bits of BLAS' scores hang on how many it multiplies at once, so they choose
    a few more than asked for, and the order is that of scores worked out one by one.
    """
    customers, items = len(customer_factors), len(item_factors)
    listed = np.full((customers, length), NOTHING, np.int32)
    scores = np.zeros((customers, length), np.float32)
    known = np.flatnonzero(customer_factors.any(axis=1))
    if not len(known) or not items:
        return listed, scores
    from implicit.cpu.als import AlternatingLeastSquares

    reach = min(length + SPARE, items)
    with threadpool_limits(1, user_api="blas"):
        solver = AlternatingLeastSquares(factors=item_factors.shape[1], num_threads=threads)
        solver.item_factors = item_factors
        solver.user_factors = np.ascontiguousarray(customer_factors[known])
        found, found_scores = solver.recommend(
            np.arange(len(known)),
            None if excluded is None else excluded[known].astype(np.float32),
            N=reach,
            filter_already_liked_items=excluded is not None,
            filter_items=None if refused_items is None or not len(refused_items) else refused_items.astype(np.int32),
        )
    exact = _scores_of(item_factors, solver.user_factors, found)
    exact[found_scores <= PADDING / 2] = 0
    best = np.lexsort((found, -exact))[:, :length]
    found, exact = np.take_along_axis(found, best, axis=1), np.take_along_axis(exact, best, axis=1)
    useful = exact > 0
    listed[known, : best.shape[1]] = np.where(useful, found, NOTHING)
    scores[known, : best.shape[1]] = np.where(useful, exact, 0)
    return listed, scores


def _scores_of(item_factors: Factors, customer_factors: Factors, listed: NDArray[np.integer]) -> NDArray[np.float64]:
    """(customers, n): the score of each listed item, the same bits whatever other rows there are."""
    scores = np.empty(listed.shape)
    for start in range(0, len(listed), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        factors = item_factors[listed[rows]].astype(np.float64)
        scores[rows] = np.einsum("cf,cnf->cn", customer_factors[rows].astype(np.float64), factors)
    return scores


def strongest_reasons(
    item_factors: Factors,
    gram: NDArray[np.float64],
    history_items: NDArray[np.integer],
    history_weights: NDArray[np.floating],
    listed_items: NDArray[np.integer],
    parameters: ModelParameters,
    *,
    presentable: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """For each listed item the number of the item of the customer's history that weighs most in its score.

    The score of item i is Σ_j s_ij over history items j, s_ij = c_j y_iᵀ W y_j with W = (YᵀY + Yᵀ(C − I)Y + λI)⁻¹
    (Hu, Koren, Volinsky 2008, section 5). One solve per customer for all its listed items. gram: YᵀY.
    An item is not its own reason, nor is one that is not ``presentable`` (history items,); NOTHING where none is left.
    """
    if not len(history_items) or not len(listed_items):
        return np.full(len(listed_items), NOTHING, np.int64)
    y = item_factors[history_items].astype(np.float64)
    confidence = parameters.alpha * history_weights.astype(np.float64)
    system = gram + parameters.regularization * np.eye(parameters.factors) + (y.T * (confidence - 1)) @ y
    contributions = (y @ np.linalg.solve(system, item_factors[listed_items].T.astype(np.float64))) * confidence[:, None]
    contributions[history_items[:, None] == listed_items[None, :]] = -np.inf
    contributions[~presentable] = -np.inf
    strongest = contributions.argmax(axis=0)
    found = np.isfinite(contributions[strongest, np.arange(len(listed_items))])
    return np.where(found, history_items[strongest], NOTHING)


@contextmanager
def _solver(parameters: ModelParameters, threads: int) -> Iterator[AlternatingLeastSquares]:
    """The library's model with BLAS held to one thread: it brings its own, and the two would fight for cores."""
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpool_limits(1, user_api="blas"):
        yield AlternatingLeastSquares(
            factors=parameters.factors,
            regularization=parameters.regularization,
            alpha=parameters.alpha,
            iterations=parameters.iterations,
            random_state=parameters.seed,
            num_threads=threads,
        )

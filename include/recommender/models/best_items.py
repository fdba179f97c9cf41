"""The best items of many customers by the product of factors, by way of ``implicit``'s own search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from include.recommender.models.interface import NOTHING

Factors = NDArray[np.float32]

SPARE = 8
"""Candidates beyond a list's length."""
PADDING = float(np.finfo(np.float32).min)
"""The library's score of an item that is not to be listed."""
ROWS_AT_ONCE = 1024


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
        scores[rows] = np.einsum("cf,cnf->cn", customer_factors[rows], item_factors[listed[rows]])
    return scores

"""The best items of many customers by the product of factors, exactly, at little more than the product's own cost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from include.recommender.models.interface import NOTHING

Factors = NDArray[np.float32]
Listed = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Items and scores (customers, length)."""

SPARE = 8
"""Candidates beyond a list's length."""
LEFT_OUT = np.float32(-np.inf)
"""The score of what is not to be listed."""
SCORES_AT_ONCE = 4_000_000
"""Of one thread: enough for BLAS to be fast, few enough to be looked through before they leave the cache."""
FEWEST_ROWS = 16
"""Of a block, and of those whose items' factors are gathered at once, so that these stay in the cache."""
ROUNDING = float(np.finfo(np.float32).eps)


def best_items(
    item_factors: Factors,
    customer_factors: Factors,
    length: int,
    *,
    excluded: csr_matrix | None = None,
    refused_items: NDArray[np.integer] | None = None,
    threads: int = 1,
) -> Listed:
    """Items and scores (customers, length) of highest score, best first, equal scores by item number.

    excluded: (customers, items), what not to list for each customer. refused_items: what not to list for anyone.
    A list ends in NOTHING with score 0 where candidates run out, for a score of 0 or below says nothing in favour of an
    item. A customer's list is the same among any other customers: the last bits of BLAS' scores hang on how many it
    multiplies at once, so they choose a few more than asked for, and the order is that of scores worked out one by one.
    """
    customers, items = len(customer_factors), len(item_factors)
    listed = np.full((customers, length), NOTHING, np.int32)
    scores = np.zeros((customers, length), np.float32)
    known = np.flatnonzero(customer_factors.any(axis=1))
    if not len(known) or not items or not length:
        return listed, scores
    search = _Search.over(np.ascontiguousarray(item_factors), length, refused_items)

    size = max(FEWEST_ROWS, SCORES_AT_ONCE // search.width)
    blocks = [known[start : start + size] for start in range(0, len(known), size)]

    def work(some: list[NDArray[np.int64]]) -> None:
        """Threads write side by side: no two have a row in common."""
        # One for all blocks: the system takes longer to hand out fresh memory than it takes to look through it.
        room = np.empty((size, search.width), np.float32)
        for rows in some:
            of_rows = None if excluded is None else excluded[rows]
            listed[rows], scores[rows] = search.best(customer_factors[rows], of_rows, room[: len(rows)])

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, (blocks[place::threads] for place in range(threads))):
            pass
    return listed, scores


@dataclass(frozen=True)
class _Search:
    """groups: items number g, g + groups, g + 2 · groups and so on make group g.

    As many groups as wanted at most hold the best of a row, and they are those whose own best item is best: so only the
    best of each group, and then the items of a few groups, need be put in order.
    """

    item_factors: Factors
    length: int
    refused: NDArray[np.int64]
    groups: int
    longest: float
    """Euclidean length of the longest item's factors."""

    @classmethod
    def over(cls, item_factors: Factors, length: int, refused: NDArray[np.integer] | None) -> _Search:
        items = len(item_factors)
        reach = min(length + SPARE, items)
        # Puts in order groups + reach · items / groups elements a row, which is least here.
        groups = max(reach, isqrt(reach * items))
        nothing = np.zeros(0, np.int64)
        longest = float(np.linalg.norm(item_factors, axis=1).max())
        return cls(item_factors, length, nothing if refused is None else refused.astype(np.int64), groups, longest)

    @property
    def reach(self) -> int:
        return min(self.length + SPARE, len(self.item_factors))

    @property
    def width(self) -> int:
        """Items, with those that fill up the last of each group."""
        return -(-len(self.item_factors) // self.groups) * self.groups

    def best(self, customers: Factors, excluded: csr_matrix | None, scores: Factors) -> Listed:
        """customers: (rows, factors), excluded: (rows, items). scores: (rows, width), to be written over."""
        self._score(customers, excluded, scores)
        found = np.sort(self._largest(scores), axis=1)
        of_found = np.take_along_axis(scores, found, axis=1)
        # Where candidates run out, what is left out is found, and with it what only fills up the last of each group.
        left = of_found > LEFT_OUT
        exact = np.where(left, _scores_of(self.item_factors, customers, np.where(left, found, 0)), 0)
        order = np.argsort(-exact, axis=1, kind="stable")[:, : self.length]
        listed, values = np.take_along_axis(found, order, axis=1), np.take_along_axis(exact, order, axis=1)
        if self.reach < len(self.item_factors):
            for row in self._doubtful(customers, of_found.min(axis=1), values[:, -1]):
                listed[row], values[row] = self._one_by_one(customers[row : row + 1], scores[row])
        useful = values > 0
        width = ((0, 0), (0, self.length - listed.shape[1]))
        return (
            np.pad(np.where(useful, listed, NOTHING).astype(np.int32), width, constant_values=NOTHING),
            np.pad(np.where(useful, values, 0).astype(np.float32), width),
        )

    def _score(self, customers: Factors, excluded: csr_matrix | None, scores: Factors) -> None:
        items = len(self.item_factors)
        np.matmul(customers, self.item_factors.T, out=scores[:, :items])
        scores[:, items:] = LEFT_OUT
        scores[:, self.refused] = LEFT_OUT
        if excluded is not None:
            starts = np.arange(len(customers)) * self.width
            scores.ravel()[np.repeat(starts, np.diff(excluded.indptr)) + excluded.indices] = LEFT_OUT

    def _largest(self, scores: Factors) -> NDArray[np.int64]:
        """(rows, reach): items of the largest ``scores`` of each row, in no order."""
        rows, depth = len(scores), self.width // self.groups
        grouped = scores.reshape(rows, depth, self.groups)
        groups = np.argpartition(grouped.max(axis=1), -self.reach, axis=1)[:, -self.reach :]
        of_groups = grouped.transpose(0, 2, 1)[np.arange(rows)[:, None], groups].reshape(rows, -1)
        chosen = np.argpartition(of_groups, -self.reach, axis=1)[:, -self.reach :]
        group, place = np.divmod(chosen, depth)
        return np.take_along_axis(groups, group, axis=1) + place * self.groups

    def _doubtful(self, customers: Factors, least: Factors, last: Factors) -> NDArray[np.int64]:
        """Rows in which an item that was not found may belong in the list.

        least: (rows,) the least score found by BLAS; none that was not found lies above it. last: (rows,), the exact
        score of the list's last item. |error| ≤ n ε |x| |y| of a product of n numbers (Higham 2002, section 3.1).
        """
        factors = customers.shape[1]
        error = 2 * factors * ROUNDING * np.linalg.norm(customers, axis=1) * self.longest
        return np.flatnonzero((least + error >= last) & (least + error > 0) & (least > LEFT_OUT))

    def _one_by_one(self, customer: Factors, scores: Factors) -> Listed:
        """A row (1, factors) by the exact scores of all items."""
        items = np.flatnonzero(scores[: len(self.item_factors)] > LEFT_OUT)
        exact = _scores_of(self.item_factors, customer, items[None])[0]
        order = np.argsort(-exact, kind="stable")[: self.length]
        return items[order].astype(np.int32), exact[order]


def _scores_of(item_factors: Factors, customer_factors: Factors, listed: NDArray[np.integer]) -> Factors:
    """(customers, n): the score of each listed item, the same bits whatever other rows there are."""
    scores = np.empty(listed.shape, np.float32)
    for start in range(0, len(listed), FEWEST_ROWS):
        rows = slice(start, start + FEWEST_ROWS)
        scores[rows] = np.einsum("cf,cnf->cn", customer_factors[rows], item_factors[listed[rows]])
    return scores

"""The best items of many customers by the product of factors, exactly, at little more than the product's own cost.

Items are gone through from the longest factors to the shortest: once no shorter ones can reach what has been found for
anyone, since x · y ≤ |x| |y|, they are not looked at (Teflioudi, Gemulla & Mykytiuk 2015, LEMP).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
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
SCORES_AT_ONCE = 6_000_000
"""Of one thread: enough for BLAS to be fast, few enough to be looked through before they leave the cache."""
FEWEST_ROWS = 16
"""Of a block, and of those whose items' factors are gathered at once, so that these stay in the cache."""
SLABS_AT_ONCE = 4
SHORTER = 0.8
"""After so many slabs it is looked whether the others can still matter, if they have become so much shorter."""
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
    if not len(search.slabs):
        return listed, scores
    size = max(FEWEST_ROWS, SCORES_AT_ONCE // len(search.items))
    blocks = [known[start : start + size] for start in range(0, len(known), size)]

    def work(some: list[NDArray[np.int64]]) -> None:
        """Threads write side by side: no two have a row in common."""
        # One for all blocks: the system takes longer to hand out fresh memory than it takes to look through it.
        room = np.empty((len(search.slabs), size, search.groups), np.float32)
        for rows in some:
            of_rows = None if excluded is None else excluded[rows]
            listed[rows], scores[rows] = search.best(customer_factors[rows], of_rows, room[:, : len(rows)])

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, (blocks[place::threads] for place in range(threads))):
            pass
    return listed, scores


@dataclass(frozen=True)
class _Search:
    """Items that may be listed have places, from the longest factors to the shortest.

    items: of each place; what fills up the last slab is numbered as if it came after all items. place: (items,),
    NOTHING for what may not be listed. slabs: (slabs, factors, groups), the first ``groups`` places, then the next ones
    and so on. longest: (slabs,), the Euclidean length of each one's longest factors.

    Places g, g + groups, g + 2 · groups and so on make group g. As many groups as wanted at most hold the best of a
    row, and they are those whose own best item is best: so only the best of each group, and then the items of a few
    groups, need be put in order. Slab by slab, what BLAS multiplies and where it writes lie close together.
    """

    item_factors: Factors
    items: NDArray[np.int64]
    place: NDArray[np.int64]
    slabs: Factors
    longest: NDArray[np.float64]
    length: int

    @classmethod
    def over(cls, item_factors: Factors, length: int, refused_items: NDArray[np.integer] | None) -> _Search:
        items, factors = item_factors.shape
        lengths = np.linalg.norm(item_factors.astype(np.float64), axis=1)
        order = np.argsort(-lengths, kind="stable")
        if refused_items is not None:
            order = order[~np.isin(order, refused_items)]
        reach = min(length + SPARE, len(order))
        # Puts in order groups + reach · items / groups elements a row, which is least here.
        groups = max(reach, isqrt(reach * len(order)), 1)
        fillers = -len(order) % groups
        place = np.full(items, NOTHING, np.int64)
        place[order] = np.arange(len(order))
        filled = np.concatenate([item_factors[order], np.zeros((fillers, factors), np.float32)])
        return cls(
            item_factors,
            np.concatenate([order, np.arange(items, items + fillers)]),
            place,
            np.ascontiguousarray(filled.reshape(-1, groups, factors).transpose(0, 2, 1)),
            lengths[order[::groups]],
            length,
        )

    @cached_property
    def allowed(self) -> NDArray[np.int64]:
        """Items that may be listed, ascending."""
        return np.flatnonzero(self.place != NOTHING)

    @property
    def groups(self) -> int:
        return self.slabs.shape[2]

    @property
    def reach(self) -> int:
        return min(self.length + SPARE, len(self.allowed))

    def best(self, customers: Factors, excluded: csr_matrix | None, scores: Factors) -> Listed:
        """customers: (rows, factors), excluded: (rows, items). scores: (slabs, rows, groups), to be written over."""
        # |error| ≤ n ε |x| |y| of a product of n numbers (Higham 2002, section 3.1), twice for two ways of adding up.
        lengths = np.linalg.norm(customers, axis=1)
        error = 2 * customers.shape[1] * ROUNDING * lengths * self.longest[0]
        best_of_groups, seen = self._score(customers, lengths, error, excluded, scores)
        places = self._largest(scores[:seen], best_of_groups)
        places = np.take_along_axis(places, np.argsort(self.items[places], axis=1), axis=1)
        slab, group = np.divmod(places, self.groups)
        found, of_found = self.items[places], scores[slab, np.arange(len(customers))[:, None], group]
        # Where candidates run out, what is left out is found, and with it what only fills up the last slab.
        left = of_found > LEFT_OUT
        exact = np.where(left, _scores_of(self.item_factors, customers, np.where(left, found, 0)), 0)
        order = np.argsort(-exact, axis=1, kind="stable")[:, : self.length]
        listed, values = np.take_along_axis(found, order, axis=1), np.take_along_axis(exact, order, axis=1)
        if self.reach < len(self.allowed):
            for row in _doubtful(error, of_found.min(axis=1), values[:, -1]):
                own = None if excluded is None else excluded.getrow(row).indices
                listed[row], values[row] = self._one_by_one(customers[row : row + 1], own)
        useful = values > 0
        width = ((0, 0), (0, self.length - listed.shape[1]))
        return (
            np.pad(np.where(useful, listed, NOTHING).astype(np.int32), width, constant_values=NOTHING),
            np.pad(np.where(useful, values, 0).astype(np.float32), width),
        )

    def _score(
        self, customers: Factors, lengths: Factors, error: Factors, excluded: csr_matrix | None, scores: Factors
    ) -> tuple[Factors, int]:
        """Fills ``scores`` as far as needed; returns (rows, groups), the best of each group, and how many slabs it is.

        No item of the slabs left out can be among the ``reach`` best of any row.
        """
        own_slab, own_row, own_group = self._own_places(excluded)
        best, looked_at = np.full((len(customers), self.groups), LEFT_OUT), self.longest[0]
        for start in range(0, len(self.slabs), SLABS_AT_ONCE):
            stop = min(start + SLABS_AT_ONCE, len(self.slabs))
            np.matmul(customers, self.slabs[start:stop], out=scores[start:stop])
            here = (own_slab >= start) & (own_slab < stop)
            scores[own_slab[here], own_row[here], own_group[here]] = LEFT_OUT
            if stop == len(self.slabs):
                scores[-1, :, self.items[-self.groups :] >= len(self.item_factors)] = LEFT_OUT
            np.maximum(best, scores[start:stop].max(axis=0), out=best)
            if stop < len(self.slabs) and self.longest[stop] < SHORTER * looked_at:
                looked_at = self.longest[stop]
                least = np.partition(best, -self.reach, axis=1)[:, -self.reach]
                if (lengths * self.longest[stop] + error < least).all():
                    return best, stop
        return best, len(self.slabs)

    def _own_places(
        self, excluded: csr_matrix | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Slab, row and group of each element of ``excluded`` (rows, items) that has a place."""
        if excluded is None:
            return (np.zeros(0, np.int64),) * 3
        place, row = self.place[excluded.indices], np.repeat(np.arange(excluded.shape[0]), np.diff(excluded.indptr))
        slab, group = np.divmod(place[place != NOTHING], self.groups)
        return slab, row[place != NOTHING], group

    def _largest(self, scores: Factors, best_of_groups: Factors) -> NDArray[np.int64]:
        """(rows, reach): places of the largest ``scores`` of each row, in no order."""
        rows = scores.shape[1]
        groups = np.argpartition(best_of_groups, -self.reach, axis=1)[:, -self.reach :]
        of_groups = np.moveaxis(scores[:, np.arange(rows)[:, None], groups], 0, 1).reshape(rows, -1)
        chosen = np.argpartition(of_groups, -self.reach, axis=1)[:, -self.reach :]
        slab, column = np.divmod(chosen, self.reach)
        return np.take_along_axis(groups, column, axis=1) + slab * self.groups

    def _one_by_one(self, customer: Factors, excluded: NDArray[np.integer] | None) -> Listed:
        """A row (1, factors) by the exact scores of all items."""
        items = self.allowed if excluded is None else np.setdiff1d(self.allowed, excluded)
        exact = _scores_of(self.item_factors, customer, items[None])[0]
        order = np.argsort(-exact, kind="stable")[: self.length]
        return items[order].astype(np.int32), exact[order]


def _doubtful(error: Factors, least: Factors, last: Factors) -> NDArray[np.int64]:
    """Rows in which an item that was not found may belong in the list.

    error: (rows,), of a score. least: (rows,) the least score found by BLAS; none that was not found lies above it.
    last: (rows,), the exact score of the list's last item.
    """
    return np.flatnonzero((least + error >= last) & (least + error > 0) & (least > LEFT_OUT))


def _scores_of(item_factors: Factors, customer_factors: Factors, listed: NDArray[np.integer]) -> Factors:
    """(customers, n): the score of each listed item, the same bits whatever other rows there are."""
    scores = np.empty(listed.shape, np.float32)
    for start in range(0, len(listed), FEWEST_ROWS):
        rows = slice(start, start + FEWEST_ROWS)
        scores[rows] = np.einsum("cf,cnf->cn", customer_factors[rows], item_factors[listed[rows]])
    return scores

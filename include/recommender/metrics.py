"""How good ranked lists are, and how sure we are of it.

Ranked lists are (customers, length) arrays of item numbers, best first, -1 where a list has ended. What a customer
truly bought is given as parallel arrays of customer numbers (rows of the lists) and item numbers, each pair once; an
item that no list can hold, because it was unknown at the cut, has a number of its own and so stays a miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.recommender.candidates import find

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.float64]

CUTOFF = 10
CONFIDENCE = 0.95
COUNTS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Relevance:
    """What each customer bought in the future: pairs (rows[j], items[j]), and how many per customer."""

    rows: IntArray
    items: IntArray
    counts: IntArray

    @classmethod
    def of(cls, rows: IntArray, items: IntArray, customers: int) -> Relevance:
        return cls(rows, items, np.bincount(rows, minlength=customers))

    def of_customers(self, numbers: IntArray) -> Relevance:
        """These customers alone, ascending and numbered anew in this order."""
        place = np.searchsorted(numbers, self.rows)
        kept = np.append(numbers, -1)[place] == self.rows
        return Relevance(place[kept], self.items[kept], self.counts[numbers])


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float


def hits(ranked: IntArray, relevance: Relevance) -> NDArray[np.bool_]:
    """(customers, length): whether the item at each rank was bought.

    >>> hits(np.array([[4, 5], [5, -1]]), Relevance.of(np.array([0, 1]), np.array([5, 4]), 2)).tolist()
    [[False, True], [False, False]]
    """
    width = 1 + max(ranked.max(initial=0), relevance.items.max(initial=0))
    listed = np.arange(len(ranked))[:, None] * width + ranked
    relevant = np.sort(relevance.rows * width + relevance.items)
    return find(relevant, listed.ravel())[1].reshape(listed.shape) & (ranked >= 0)


def ndcg(hit: NDArray[np.bool_], counts: IntArray) -> FloatArray:
    """nDCG@k per customer, k = the lists' length: DCG over the DCG of the best possible list.

    DCG = Σ hit_r / log2(r + 1) over ranks r from 1; the best list has min(count, k) hits at its top.

    One of two relevant items, at rank 2: (1/log2 3) / (1 + 1/log2 3).

    >>> ndcg(np.array([[False, True, False]]), np.array([2])).round(4).tolist()
    [0.3869]
    """
    discounts = 1 / np.log2(np.arange(2, hit.shape[1] + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(counts, hit.shape[1])]
    return _share(hit @ discounts, best)


def recall(hit: NDArray[np.bool_], counts: IntArray) -> FloatArray:
    """Recall@k per customer: the share of what was bought that the list holds.

    >>> recall(np.array([[True, False, True]]), np.array([4])).tolist()
    [0.5]
    """
    return _share(hit.sum(axis=1), counts)


def average_precision(hit: NDArray[np.bool_], counts: IntArray) -> FloatArray:
    """AP@k per customer: precision at each hit's rank, summed, over min(count, k). Its mean is MAP@k.

    Hits at ranks 1 and 3 of two relevant items: (1/1 + 2/3) / 2.

    >>> average_precision(np.array([[True, False, True]]), np.array([2])).round(4).tolist()
    [0.8333]
    """
    precision = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    return _share((precision * hit).sum(axis=1), np.minimum(counts, hit.shape[1]))


def coverage(ranked: IntArray, catalogue: int) -> float:
    """Share of the ``catalogue`` items that appear in any list.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    listed = np.unique(ranked)
    return float((listed >= 0).sum() / catalogue) if catalogue else 0.0


def bootstrap_interval(values: FloatArray, draws: int, seed: list[int]) -> Interval:
    """Percentile interval of the mean of per-customer ``values``: customers are drawn with replacement (Efron 1979).

    Give differences of two models over the same customers, and the interval is the paired one.
    """
    return bootstrap_intervals(values[:, None], draws, seed)[0]


def bootstrap_intervals(values: FloatArray, draws: int, seed: list[int]) -> list[Interval]:
    """The same of each column of ``values`` (customers, lists); every column is judged by the same draws.

    How often each customer is drawn is counted in blocks of draws, so that memory stays small, and the means of all
    lists are one matrix product of these counts.
    """
    generator = np.random.default_rng(seed)
    customers = len(values)
    if not customers:
        raise ValueError("no customers to draw from: a mean of nothing has no interval")
    block = max(1, COUNTS_AT_ONCE // customers)
    means = np.empty((draws, values.shape[1]))
    counts = np.empty((min(block, draws), customers))
    for start in range(0, draws, block):
        some = counts[: min(block, draws - start)]
        for of_draw in some:
            of_draw[:] = np.bincount(generator.integers(customers, size=customers), minlength=customers)
        means[start : start + len(some)] = some @ values / customers
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return [Interval(*map(float, bounds)) for bounds in zip(values.mean(axis=0), low, high, strict=True)]


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> FloatArray:
    result = np.zeros(len(part))
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result

"""How good ranked lists are, and how sure we are of it.

Ranked lists are (customers, length) arrays of item numbers, best first, -1 where a list has ended. What a customer
truly bought is given as parallel arrays of customer numbers (rows of the lists) and item numbers, each pair once; an
item that no list can hold, because it was unknown at the cut, has a number of its own and so stays a miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.float64]

CUTOFF = 10
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Relevance:
    """What each customer bought in the future: pairs (rows[j], items[j]), and how many per customer."""

    rows: IntArray
    items: IntArray
    counts: IntArray

    @classmethod
    def of(cls, rows: IntArray, items: IntArray, customers: int) -> Relevance:
        return cls(rows, items, np.bincount(rows, minlength=customers))


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
    return np.isin(listed, relevance.rows * width + relevance.items) & (ranked >= 0)


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
    """Percentile interval of the mean of per-customer ``values``: customers are drawn with replacement.

    Give differences of two models over the same customers, and the interval is the paired one. Efron 1979; the draws
    are multinomial counts, made in blocks so that memory stays small.
    """
    generator = np.random.default_rng(seed)
    customers = len(values)
    if not customers:
        raise ValueError("no customers to draw from: a mean of nothing has no interval")
    block = max(1, 2_000_000 // customers)
    means = np.concatenate(
        [
            generator.multinomial(customers, np.full(customers, 1 / customers), size=min(block, draws - start)) @ values
            for start in range(0, draws, block)
        ]
    )
    low, high = np.quantile(means / customers, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> FloatArray:
    result = np.zeros(len(part))
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result

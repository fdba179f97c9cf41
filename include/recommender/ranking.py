"""Own history, popularity and ALS turned into one list per customer: arrays in, arrays out.

On groceries what a customer bought often and lately says more about the next basket than any model, so the list of
next purchases is a blend: score = own decayed weight + blend weight × ALS score. An item outside the own history has
weight 0, so a small blend weight means "own history first, ALS fills up".
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.recommender.als import NOTHING, Factors
from include.recommender.vocabulary import ALS, OWN_HISTORY

Numbers = NDArray[np.integer]
Scores = NDArray[np.floating]

BLEND_WEIGHTS = (0.1, 0.5, 1.0, 2.0)
"""Tried on the evaluation's cut."""
UNJUDGED_BLEND_WEIGHT = 1.0
"""Where history is too short to try any."""


@dataclass(frozen=True)
class Ranked:
    """Candidates of one strategy each, best first: item numbers and scores (n,), and the strategy of each."""

    items: Numbers
    scores: Scores
    strategies: list[str]

    @classmethod
    def of(cls, items: Numbers, scores: Scores, strategy: str) -> Ranked:
        return cls(items, scores, [strategy] * len(items))


def blend(
    own: Numbers, own_weights: Scores, own_als: Scores, new: Numbers, new_als: Scores, *, weight: float, length: int
) -> Ranked:
    """The best ``length`` of own items and ALS's new ones in one order; equal scores by item number.

    own_als and new_als: the ALS scores of each; a negative one counts as 0.

    >>> own = np.array([3, 1]), np.array([2.0, 0.1]), np.array([0.0, 0.1])
    >>> ranked = blend(*own, np.array([7, 8]), np.array([0.5, 0.1]), weight=1.0, length=3)
    >>> ranked.items.tolist(), ranked.strategies
    ([3, 7, 1], ['own_history', 'als', 'own_history'])
    """
    items = np.concatenate([own, new])
    scores = np.concatenate([own_weights + weight * np.maximum(own_als, 0), weight * new_als]).astype(np.float64)
    order = np.lexsort((items, -scores))[:length]
    return Ranked(items[order], scores[order], [OWN_HISTORY if at < len(own) else ALS for at in order])


def fill_up(rankings: Iterable[Ranked], length: int, excluded: Set[int]) -> Ranked:
    """The first ``length`` different items of ``rankings``, taken one ranking after the other, without ``excluded``.

    >>> first, then = Ranked.of(np.array([4]), np.array([1.]), "als"), Ranked.of(np.arange(6), np.ones(6), "popularity")
    >>> filled = fill_up([first, then], 3, excluded={0})
    >>> filled.items.tolist(), filled.strategies
    ([4, 1, 2], ['als', 'popularity', 'popularity'])
    """
    taken = set(excluded)
    items: list[int] = []
    scores: list[float] = []
    strategies: list[str] = []
    for ranking in rankings:
        for item, score, strategy in zip(ranking.items, ranking.scores, ranking.strategies, strict=True):
            if len(items) == length:
                break
            if int(item) not in taken:
                taken.add(int(item))
                items.append(int(item))
                scores.append(float(score))
                strategies.append(strategy)
        if len(items) == length:
            break
    return Ranked(np.array(items, np.int64), np.array(scores, np.float64), strategies)


def take_turns(rankings: list[Numbers]) -> Numbers:
    """The first of each, then the second of each, and so on.

    >>> take_turns([np.array([1, 2, 3]), np.array([8])]).tolist()
    [1, 8, 2, 3]
    """
    longest = max((len(ranking) for ranking in rankings), default=0)
    turns = [int(ranking[turn]) for turn in range(longest) for ranking in rankings if turn < len(ranking)]
    return np.array(turns, np.int64)


def row(matrix: csr_matrix, number: int) -> tuple[Numbers, Scores]:
    """Columns and values of one row."""
    begin, end = matrix.indptr[number], matrix.indptr[number + 1]
    return matrix.indices[begin:end], matrix.data[begin:end]


def own_lists(weights: csr_matrix, length: int) -> NDArray[np.int64]:
    """(customers, length): each customer's own items by falling weight, then by item number."""
    lists = np.full((weights.shape[0], length), NOTHING, np.int64)
    for number in range(len(lists)):
        items, values = row(weights, number)
        best = items[np.lexsort((items, -values))][:length]
        lists[number, : len(best)] = best
    return lists


def popularity_lists(popularity: Scores, excluded: csr_matrix, length: int) -> NDArray[np.int64]:
    """(customers, length): the items of highest ``popularity`` (items,) that are not ``excluded`` for the customer."""
    order = np.argsort(-popularity, kind="stable")
    lists = np.full((excluded.shape[0], length), NOTHING, np.int64)
    refused = np.zeros(len(order), bool)
    for number in range(len(lists)):
        items = row(excluded, number)[0]
        refused[items] = True
        head = order[: length + len(items)]
        best = head[~refused[head]][:length]
        lists[number, : len(best)] = best
        refused[items] = False
    return lists


def blended_lists(
    weights: csr_matrix,
    factors: tuple[Factors, Factors],
    new: tuple[NDArray[np.int32], NDArray[np.float32]],
    weight: float,
    length: int,
) -> NDArray[np.int64]:
    """(customers, length): ``blend`` for each customer.

    factors: of customers and of items. new: items and scores (customers, n) that ALS finds outside the own history.
    """
    customer_factors, item_factors = factors
    lists = np.full((weights.shape[0], length), NOTHING, np.int64)
    for number in range(len(lists)):
        own, own_weights = row(weights, number)
        found = new[0][number] != NOTHING
        ranked = blend(
            own,
            own_weights,
            item_factors[own] @ customer_factors[number],
            new[0][number][found],
            new[1][number][found],
            weight=weight,
            length=length,
        )
        lists[number, : len(ranked.items)] = ranked.items
    return lists


def with_fallback(lists: NDArray[np.int64], fallback: NDArray[np.int64]) -> NDArray[np.int64]:
    """``lists`` with their ends filled from ``fallback``, no item twice.

    >>> with_fallback(np.array([[5, -1, -1]]), np.array([[5, 2, 3]])).tolist()
    [[5, 2, 3]]
    """
    filled = lists.copy()
    for number in np.flatnonzero((lists == NOTHING).any(axis=1)):
        have = lists[number][lists[number] != NOTHING]
        more = fallback[number][~np.isin(fallback[number], have)]
        joined = np.concatenate([have, more])[: lists.shape[1]]
        filled[number, : len(joined)] = joined
    return filled

"""A model judged on a time split: full catalogue, every customer who bought in the future, nothing known but the past.

Repurchase-allowed (``next_purchase``) and never-bought (``discovery``) are judged apart, each beside popularity; own
frequency with recency stands beside the first. Lists are judged at ten items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import als, metrics, ranking
from include.recommender.als import Factors, ModelParameters
from include.recommender.metrics import CUTOFF, FloatArray, IntArray, Relevance
from include.recommender.vocabulary import ALS, POPULARITY

SERVED = "served"
OWN_FREQUENCY = "own_frequency"

MINIMUM_CUSTOMERS = 20
"""Customers who bought in the future, below which an interval would be a show of precision."""


@dataclass(frozen=True)
class Split:
    """History up to a cut, and what the judged customers bought after it.

    weights, bought: (customers, items) of all customers with a history; the judged are rows ``judged``, in an order
    that has nothing to do with them. future_rows number into ``judged``; future_items from ``weights.shape[1]`` on are
    items unknown at the cut.
    """

    weights: csr_matrix
    bought: csr_matrix
    judged: IntArray
    future_rows: IntArray
    future_items: IntArray

    def relevance(self, purpose: str) -> Relevance:
        rows, items = self.future_rows, self.future_items
        if purpose == DISCOVERY:
            width = int(max(items.max(initial=0) + 1, self.bought.shape[1]))
            past = self.bought[self.judged].tocoo()
            fresh = ~np.isin(rows * width + items, past.row.astype(np.int64) * width + past.col)
            rows, items = rows[fresh], items[fresh]
        return Relevance.of(rows, items, len(self.judged))


@dataclass(frozen=True)
class Evaluation:
    """Metrics as ``models.metrics`` has them, per-customer nDCG@10 for the gate, and the blend chosen."""

    metrics: dict[str, Any]
    als_ndcg: FloatArray
    popularity_ndcg: FloatArray
    blend_weight: float


@dataclass(frozen=True)
class _Judge:
    """Turns lists of one purpose into their figures."""

    relevance: Relevance
    catalogue: int
    draws: int
    seed: list[int]

    def ndcg(self, lists: IntArray) -> FloatArray:
        return metrics.ndcg(metrics.hits(lists, self.relevance), self.relevance.counts)[self.relevance.counts > 0]

    def figures(self, lists: IntArray) -> dict[str, float]:
        """Customers without any relevant item are left out; coverage counts the lists of those who remain."""
        some = self.relevance.counts > 0
        hit, counts = metrics.hits(lists, self.relevance)[some], self.relevance.counts[some]
        interval = metrics.bootstrap_interval(metrics.ndcg(hit, counts), self.draws, self.seed)
        return {
            "ndcg@10": round(interval.mean, 6),
            "low": round(interval.low, 6),
            "high": round(interval.high, 6),
            "recall@10": round(float(metrics.recall(hit, counts).mean()), 6),
            "map@10": round(float(metrics.average_precision(hit, counts).mean()), 6),
            "coverage": round(metrics.coverage(lists[some], self.catalogue), 6),
            "customers": int(some.sum()),
        }


def evaluate(split: Split, parameters: ModelParameters, *, draws: int, seed: list[int], threads: int) -> Evaluation:
    """Fit ALS on the split's history and judge it, what would be served, and the baselines.

    The blend's weight is chosen on the same customers that judge it, so ``served`` is cross-fitted: each half of the
    customers is served with the weight that the other half chose. The weight returned is the choice of all.
    """
    history, bought = split.weights[split.judged], split.bought[split.judged]
    popularity = np.asarray(split.weights.sum(axis=0), np.float64).ravel()
    item_factors = als.fit_item_factors(split.weights, parameters, threads)
    customer_factors = als.fold_in(item_factors, history, parameters, threads)

    judge = _Judge(split.relevance(NEXT_PURCHASE), split.weights.shape[1], draws, seed)
    popular = ranking.popularity_lists(popularity, csr_matrix(history.shape), CUTOFF)
    als_lists = _als_lists(item_factors, customer_factors, None, threads)
    served, blend_weight = _served_lists(judge, history, (customer_factors, item_factors), popular, threads)
    figures: dict[str, Any] = {
        NEXT_PURCHASE: {
            SERVED: judge.figures(served),
            ALS: judge.figures(als_lists),
            OWN_FREQUENCY: judge.figures(ranking.own_lists(history, CUTOFF)),
            POPULARITY: judge.figures(popular),
        }
    }
    newcomers = _Judge(split.relevance(DISCOVERY), split.weights.shape[1], draws, seed)
    if newcomers.relevance.counts.any():
        unbought = ranking.popularity_lists(popularity, bought, CUTOFF)
        found = _als_lists(item_factors, customer_factors, bought, threads)
        figures[DISCOVERY] = {
            SERVED: newcomers.figures(ranking.with_fallback(found, unbought)),
            ALS: newcomers.figures(found),
            POPULARITY: newcomers.figures(unbought),
        }
    return Evaluation(figures, judge.ndcg(als_lists), judge.ndcg(popular), blend_weight)


def als_ndcg(split: Split, parameters: ModelParameters, threads: int) -> FloatArray:
    """nDCG@10 per judged customer of ALS with other ``parameters``, for ``next_purchase`` over the same customers."""
    item_factors = als.fit_item_factors(split.weights, parameters, threads)
    customer_factors = als.fold_in(item_factors, split.weights[split.judged], parameters, threads)
    lists = _als_lists(item_factors, customer_factors, None, threads)
    relevance = split.relevance(NEXT_PURCHASE)
    return metrics.ndcg(metrics.hits(lists, relevance), relevance.counts)[relevance.counts > 0]


def _als_lists(
    item_factors: Factors, customer_factors: Factors, excluded: csr_matrix | None, threads: int
) -> NDArray[np.int64]:
    lists, _ = als.best_items(item_factors, customer_factors, CUTOFF, excluded=excluded, threads=threads)
    return lists.astype(np.int64)


def _served_lists(
    judge: _Judge,
    history: csr_matrix,
    factors: tuple[Factors, Factors],
    popular: NDArray[np.int64],
    threads: int,
) -> tuple[NDArray[np.int64], float]:
    """Cross-fitted lists of the blend, and the weight that all customers together choose."""
    customer_factors, item_factors = factors
    new = als.best_items(item_factors, customer_factors, CUTOFF, excluded=history, threads=threads)
    tried = [
        ranking.with_fallback(ranking.blended_lists(history, factors, new, weight, CUTOFF), popular)
        for weight in ranking.BLEND_WEIGHTS
    ]
    relevance = judge.relevance
    scores = np.stack([metrics.ndcg(metrics.hits(lists, relevance), relevance.counts) for lists in tried])
    halves = np.arange(len(popular)) % 2
    served = np.empty_like(popular)
    for half in (0, 1):
        chosen = scores[:, halves != half].mean(axis=1).argmax()
        served[halves == half] = tried[chosen][halves == half]
    return served, ranking.BLEND_WEIGHTS[int(scores.mean(axis=1).argmax())]

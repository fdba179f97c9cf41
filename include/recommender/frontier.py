"""What diversity and margin cost in accuracy: lists of judged customers under a grid of rules, and how each would fare.

A shop picks its rules from these points: as much diversity, or margin, as it wants for the nDCG it is ready to give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from include.recommender import metrics
from include.recommender.arrange import Arrangement, Floats, ItemTraits, Likeness, RankedCandidates, arrange
from include.recommender.history import Numbers
from include.recommender.metrics import CUTOFF, Relevance
from include.recommender.models.interface import NOTHING

DIVERSITIES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
MARGIN_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
LISTS_AT_ONCE = 10_000
"""Bounds the memory that similarities within lists take."""


@dataclass(frozen=True)
class Point:
    """How lists fare under one diversity λ and margin weight: means over customers, of the first 10 of each list."""

    diversity: float
    margin_weight: float
    ndcg: float
    intra_list_diversity: float | None
    """None where no list has two items."""
    mean_margin: float | None
    """Over all places of all lists, as a share of the price; None where no margin is known."""
    coverage: float
    """The share of the catalogue that any list shows."""

    def as_json(self) -> dict[str, float | None]:
        """As ``models.metrics`` can keep it."""
        return {
            "diversity": self.diversity,
            "margin_weight": self.margin_weight,
            "ndcg@10": round(self.ndcg, 6),
            "intra_list_diversity": _rounded(self.intra_list_diversity),
            "mean_margin": _rounded(self.mean_margin),
            "coverage": round(self.coverage, 6),
        }


def frontier(
    ranked: RankedCandidates,
    relevance: Relevance,
    traits: ItemTraits,
    *,
    catalogue: int,
    rules: Arrangement | None = None,
    length: int = CUTOFF,
    diversities: Sequence[float] = DIVERSITIES,
    margin_weights: Sequence[float] = MARGIN_WEIGHTS,
) -> list[Point]:
    """A point for every margin weight and diversity, in this order; none where nobody bought anything.

    relevance: what the same customers went on to buy; who bought nothing is left out. catalogue: how many items are all
    of which coverage is a share. rules: whose quotas hold at every point. length: of the lists that are served, since
    the pool of candidates hangs on it.

    Raises ValueError for lists shorter than 10, of which nDCG@10 would say little.
    """
    if length < CUTOFF:
        raise ValueError(f"lists of {length} cannot be judged by their first {CUTOFF}")
    judged = np.flatnonzero(relevance.counts > 0)
    if not len(judged):
        return []
    of_judged, bought = ranked.of_customers(judged), relevance.of_customers(judged)
    points = []
    for each in _grid(rules or Arrangement(), diversities, margin_weights):
        items = arrange(of_judged, traits, each, length)[0][:, :CUTOFF]
        accuracy = metrics.ndcg(metrics.hits(items, bought), bought.counts)
        points.append(
            Point(
                each.diversity,
                each.margin_weight,
                float(accuracy.mean()),
                _mean(intra_list_diversity(items, traits)),
                _mean(traits.margin[items[items != NOTHING]]),
                metrics.coverage(items, catalogue),
            )
        )
    return points


def intra_list_diversity(items: Numbers, traits: ItemTraits) -> Floats:
    """Per list of (lists, length): the mean of 1 − similarity over its pairs of items, NaN for fewer than two.

    Ziegler et al. 2005. Similarity is the one that lists are arranged by.

    >>> traits = ItemTraits(np.array([4, 4, 5]), np.array([7, 8, 9]), np.zeros(3))
    >>> intra_list_diversity(np.array([[0, 1, NOTHING], [0, 1, 2], [2, NOTHING, NOTHING]]), traits).round(3).tolist()
    [0.5, 0.833, nan]
    """
    starts = range(0, len(items), LISTS_AT_ONCE)
    parts = [_of_lists(items[start : start + LISTS_AT_ONCE], traits) for start in starts]
    return np.concatenate([np.zeros(0), *parts])


def _of_lists(items: Numbers, traits: ItemTraits) -> Floats:
    listed = items != NOTHING
    likeness = Likeness.among(items, traits)
    unlike = np.zeros(len(items))
    for place in range(items.shape[1] - 1):
        later = listed[:, place + 1 :]
        unlike += np.where(later, 1 - likeness.to(items[:, place])[:, place + 1 :], 0).sum(axis=1)
    count = listed.sum(axis=1)
    pairs = count * (count - 1) / 2
    return np.divide(unlike, pairs, out=np.full(len(items), np.nan), where=pairs > 0)


def _grid(rules: Arrangement, diversities: Sequence[float], weights: Sequence[float]) -> Iterator[Arrangement]:
    for weight in weights:
        for diversity in diversities:
            yield replace(rules, diversity=diversity, margin_weight=weight)


def _mean(values: Floats) -> float | None:
    """Of the values that are known."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

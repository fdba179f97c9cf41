"""How good tonight's lists would have been: figures of every model, of the served lists, and of whom they serve.

Lists are made as of the end of a split's past and compared with what customers bought in its hidden part, over the full
catalogue. Items that the past does not know stay misses, as do customers for whom no list was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from include.recommender import learning, metrics
from include.recommender.arrange import POOL, Arrangement, ItemTraits, RankedCandidates, arrange, stacked
from include.recommender.candidates import rank_within
from include.recommender.frontier import MARGIN_WEIGHTS, frontier
from include.recommender.history import History, Numbers
from include.recommender.item_facts import ItemFacts
from include.recommender.learning import PURPOSES, Lessons, Split
from include.recommender.metrics import CUTOFF, FloatArray, IntArray, Relevance
from include.recommender.models.interface import NOTHING
from include.recommender.two_stage import TwoStage, fused, lists
from include.recommender.vocabulary import OWN_FREQUENCY, OWN_HISTORY, POPULARITY, SERVED
from include.settings import RecommenderSettings

FUSED = "fused"
"""What the models would say together, had no ranker learned their order."""
NEW_DAYS = 28
NEW, LIGHT, HEAVY = "new", "light", "heavy"
HEAD, MIDDLE, TAIL, FRESH, UNMET = "head", "middle", "tail", "new", "never_bought"
FRONTIER_CUSTOMERS = 5000
"""Of more judged customers so many are drawn for the frontier, for which every list is made anew at every point."""
HEAD_SHARE, MIDDLE_SHARE = 0.5, 0.8
"""The most popular items that make half of all purchases are the head, the next up to 80% the middle."""


@dataclass(frozen=True)
class Listed:
    """What customers ``numbers`` of a split would have been listed.

    lists: (customers, CUTOFF) by purpose and name. ranked: the candidates that a served list is chosen from, by
    purpose. lessons: what the same candidates teach.
    """

    numbers: Numbers
    lists: Mapping[str, Mapping[str, Numbers]]
    ranked: Mapping[str, RankedCandidates]
    lessons: Lessons


@dataclass(frozen=True)
class ListMaking:
    """How served lists are made of candidates in order: rules by purpose, and how many items a list has."""

    rules: Mapping[str, Arrangement] = field(default_factory=lambda: dict.fromkeys(PURPOSES, Arrangement()))
    length: int = 20

    @classmethod
    def of_settings(cls, settings: RecommenderSettings) -> Self:
        rules = {purpose: Arrangement.of_settings(settings, purpose) for purpose in PURPOSES}
        return cls(rules, max(settings.list_length, CUTOFF))


def make_lists(
    fitted: TwoStage,
    split: Split,
    numbers: Numbers,
    traits: ItemTraits,
    making: ListMaking,
    *,
    seed: int,
    threads: int = 1,
) -> Listed:
    """What would be served to customers ``numbers``, and what each part alone would list.

    fitted: on the past of the split, with rankers that know nothing of its hidden part.
    """
    made: dict[str, dict[str, list[Numbers]]] = {purpose: {} for purpose in PURPOSES}
    ranked: dict[str, list[RankedCandidates]] = {purpose: [] for purpose in PURPOSES}
    told: Lessons = {purpose: [] for purpose in PURPOSES}
    for found in learning.passes(fitted, split, numbers, threads=threads):
        candidates, customers, purpose = found.ordered.candidates, len(found.block), found.purpose
        pool = RankedCandidates.of(customers, candidates.customer, candidates.item, found.ordered.scores)
        pool = pool.best(POOL * making.length)
        served, _ = arrange(pool, traits, making.rules[purpose], making.length)
        made[purpose].setdefault(SERVED, []).append(served[:, :CUTOFF])
        places: dict[str, NDArray[np.number]] = {FUSED: rank_within(candidates.customer, fused(candidates))}
        places |= {_name(part): candidates.ranks[:, column] for column, part in enumerate(candidates.models)}
        for name, of_list in places.items():
            made[purpose].setdefault(name, []).append(lists(candidates, of_list, customers, CUTOFF))
        ranked[purpose].append(pool)
        told[purpose].append(found.lesson(fitted.recipe.ranker.negative_share, seed))
    joined = {
        purpose: {name: np.concatenate(parts) for name, parts in of_purpose.items()}
        for purpose, of_purpose in made.items()
    }
    return Listed(numbers, joined, {purpose: stacked(parts) for purpose, parts in ranked.items()}, told)


def _name(part: str) -> str:
    """Under which name a part's figures stand: that of the own history has always been the own frequency."""
    return OWN_FREQUENCY if part == OWN_HISTORY else part


@dataclass(frozen=True)
class Evaluation:
    """metrics: as ``models.metrics`` has them. ndcg: per judged customer, by purpose and list, for the gate."""

    metrics: dict[str, Any]
    ndcg: Mapping[str, Mapping[str, FloatArray]]


def evaluate(
    listed: Listed,
    split: Split,
    facts: ItemFacts,
    traits: ItemTraits,
    making: ListMaking,
    *,
    segments: NDArray[np.str_] | None = None,
    draws: int,
    seed: list[int],
) -> Evaluation:
    """Figures of each list with bootstrap intervals, of groups of customers, and of which items are shown.

    With them, the frontier of accuracy, diversity and margin that other rules would lead to. facts: of the items, as of
    the split's past. segments: (all customers,), "" for none.
    """
    figures: dict[str, Any] = {}
    of_customers: dict[str, dict[str, FloatArray]] = {}
    for purpose in PURPOSES:
        judge = _judge(listed, split, purpose, draws, seed)
        if not judge.some.any():
            continue
        of_purpose = listed.lists[purpose]
        figures[purpose], of_customers[purpose] = judge.figures(of_purpose)
        figures[purpose]["groups"] = _of_groups(
            of_customers[purpose], customer_groups(split.past, listed.numbers)[judge.some]
        )
        if segments is not None:
            figures[purpose]["segments"] = _of_groups(of_customers[purpose], segments[listed.numbers][judge.some])
        drawn = learning.drawn(np.flatnonzero(judge.some), FRONTIER_CUSTOMERS, seed)
        points = frontier(
            listed.ranked[purpose].of_customers(drawn),
            judge.relevance.of_customers(drawn),
            traits,
            catalogue=judge.catalogue,
            rules=making.rules[purpose],
            length=making.length,
            # Where no margin is known, no weight of it changes anything.
            margin_weights=MARGIN_WEIGHTS if np.isfinite(traits.margin).any() else (0.0,),
        )
        figures[purpose]["frontier"] = [point.as_json() for point in points]
        figures[purpose]["exposure"] = exposure(of_purpose[SERVED], item_groups(split.past, facts))
    return Evaluation(figures, of_customers)


def ndcg(listed: Listed, split: Split, purpose: str) -> dict[str, FloatArray]:
    """nDCG@10 of each list, for every customer who bought anything relevant for ``purpose``."""
    judge = _judge(listed, split, purpose, 0, [])
    return {name: judge.ndcg(found) for name, found in listed.lists[purpose].items()}


@dataclass(frozen=True)
class _Judge:
    """Turns lists of one purpose into their figures. some: (customers,), who has anything relevant."""

    relevance: Relevance
    catalogue: int
    draws: int
    seed: list[int]

    @property
    def some(self) -> NDArray[np.bool_]:
        return np.asarray(self.relevance.counts > 0)

    def hits(self, found: IntArray) -> NDArray[np.bool_]:
        """Of the customers who have anything relevant."""
        return metrics.hits(found, self.relevance)[self.some]

    def ndcg(self, found: IntArray) -> FloatArray:
        return metrics.ndcg(self.hits(found), self.relevance.counts[self.some])

    def figures(self, lists: Mapping[str, IntArray]) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        """Of each list, and its nDCG@10 of each customer.

        Customers without any relevant item are left out; coverage counts the lists of those who remain.
        """
        counts, hits = self.relevance.counts[self.some], {name: self.hits(found) for name, found in lists.items()}
        ndcg = {name: metrics.ndcg(hit, counts) for name, hit in hits.items()}
        intervals = metrics.bootstrap_intervals(np.column_stack(list(ndcg.values())), self.draws, self.seed)
        figures = {
            name: {
                "ndcg@10": round(interval.mean, 6),
                "low": round(interval.low, 6),
                "high": round(interval.high, 6),
                "recall@10": round(float(metrics.recall(hits[name], counts).mean()), 6),
                "map@10": round(float(metrics.average_precision(hits[name], counts).mean()), 6),
                "coverage": round(metrics.coverage(found[self.some], self.catalogue), 6),
                "customers": int(self.some.sum()),
                "with_list": round(float((found[self.some, 0] != NOTHING).mean()), 6),
            }
            for (name, found), interval in zip(lists.items(), intervals, strict=True)
        }
        return figures, ndcg


def _judge(listed: Listed, split: Split, purpose: str, draws: int, seed: list[int]) -> _Judge:
    customer, item = split.relevant(purpose)
    row = np.full(split.past.customers, NOTHING, np.int64)
    row[listed.numbers] = np.arange(len(listed.numbers))
    judged = row[customer] >= 0
    relevance = Relevance.of(row[customer[judged]], item[judged], len(listed.numbers))
    met = len(np.unique(split.past.item))
    return _Judge(relevance, met, draws, seed)


def customer_groups(past: History, numbers: Numbers) -> NDArray[np.str_]:
    """new: first seen in the last 28 days, or never; light and heavy: below and from the median number of items on."""
    first = np.full(past.customers, past.today + 1)
    np.minimum.at(first, past.customer, past.day)
    met = np.bincount(past.pairs.customer, minlength=past.customers)
    new = first[numbers] > past.today - NEW_DAYS
    usual = np.median(met[numbers][~new]) if (~new).any() else 0
    return np.where(new, NEW, np.where(met[numbers] < usual, LIGHT, HEAVY))


def item_groups(past: History, facts: ItemFacts) -> NDArray[np.str_]:
    """(items,): head, middle and tail of all purchases; first met in the last 28 days; never bought."""
    count = np.bincount(past.item, minlength=past.items)
    order = np.lexsort((np.arange(past.items), -count))
    share = np.empty(past.items)
    share[order] = (np.cumsum(count[order]) - count[order]) / max(count.sum(), 1)
    tier = np.where(share < HEAD_SHARE, HEAD, np.where(share < MIDDLE_SHARE, MIDDLE, TAIL))
    tier = np.where(facts.of_name("age") < NEW_DAYS, FRESH, tier)
    return np.where(count > 0, tier, UNMET)


def exposure(found: IntArray, groups: NDArray[np.str_]) -> dict[str, float]:
    """Of all places of the lists, the share that each group of items has.

    >>> exposure(np.array([[0, 1], [0, -1]]), np.array(["head", "tail"]))
    {'head': 0.666667, 'tail': 0.333333}
    """
    names, places = np.unique(groups[found[found != NOTHING]], return_counts=True)
    return {str(name): round(float(count / places.sum()), 6) for name, count in zip(names, places, strict=True)}


def _of_groups(ndcg: Mapping[str, FloatArray], groups: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    """nDCG@10 of served lists, of own frequency and of popularity, for each group of customers."""
    compared = [name for name in (SERVED, OWN_FREQUENCY, POPULARITY) if name in ndcg]
    return {
        str(group): {"customers": int((groups == group).sum())}
        | {name: round(float(ndcg[name][groups == group].mean()), 6) for name in compared}
        for group in np.unique(groups)
    }

"""The final list of each customer: the ranker's order, bent by quotas, diversity and margin. Arrays in, arrays out.

A list is filled place by place with the candidate that is then worth most: maximal marginal relevance (Carbonell &
Goldstein 1998), (1 − λ) · relevance − λ · the largest similarity to what the list already holds.

Relevance is 1 − rank / pool, from 1 for a customer's best candidate down towards 0, where the pool is ``POOL`` times
the length of a list. Ranks, because scores of a LambdaMART ranker have no zero and no unit, and one outlier among them
would squeeze all others together. Over the pool and not over how many candidates there are, so that λ means the same
for every customer: an item gives way to one that has nothing in common with the list if that one lies less than
λ / (1 − λ) · similarity · pool ranks below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Self

import numpy as np
from numpy.typing import NDArray

from include.recommender.history import UNKNOWN, Catalogue, Numbers
from include.recommender.models.interface import NOTHING
from include.settings import RecommenderSettings

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

POOL = 5
"""So many times the length of a list are the candidates that diversity and margin can lift into it."""
CUSTOMERS_AT_ONCE = 500
"""So few that what is looked at for every place stays in the processor's cache."""


@dataclass(frozen=True)
class Arrangement:
    """Rules of a list. Without any of them it is the ranker's order.

    Raises ValueError for a quota below 1, a diversity outside [0, 1), a margin weight below 0.
    """

    per_category: int | None = None
    """At most so many items of one category; None: no quota. Of what is UNKNOWN there may be any number."""
    per_brand: int | None = None
    """At most so many items of one brand, likewise."""
    diversity: float = 0.0
    """λ of maximal marginal relevance."""
    margin_weight: float = 0.0
    """Relevance is multiplied by 1 + weight · (margin − mean margin of the customer's pool), never below 0."""

    @classmethod
    def of_settings(cls, settings: RecommenderSettings, purpose: str) -> Self:
        rules = getattr(settings.list_rules, purpose)
        return cls(rules.per_category, rules.per_brand, rules.diversity, rules.margin_weight)

    def __post_init__(self) -> None:
        for name in ("per_category", "per_brand"):
            most = getattr(self, name)
            if most is not None and most < 1:
                raise ValueError(f"{name} must be at least 1, or None for no quota, not {most}")
        if not 0 <= self.diversity < 1:
            raise ValueError(f"diversity must be from 0 to below 1, not {self.diversity}")
        if not (self.margin_weight >= 0 and isfinite(self.margin_weight)):
            raise ValueError(f"margin_weight must be 0 or more, not {self.margin_weight}")

    def quotas(self, traits: ItemTraits) -> list[tuple[Numbers, int]]:
        """Groups of all items (items,) and the most that a list may hold of one, for each quota there is."""
        both = ((traits.category, self.per_category), (traits.brand, self.per_brand))
        return [(groups, most) for groups, most in both if most is not None]


@dataclass(frozen=True)
class ItemTraits:
    """Items by number.

    category, brand: (items,), UNKNOWN for none. margin: (items,), as a share of the price, NaN for unknown. factors:
    (items, f) of a factor model, or None; zeros for an item that the model does not know.
    """

    category: Numbers
    brand: Numbers
    margin: Floats
    factors: NDArray[np.floating] | None = None

    @classmethod
    def of(cls, catalogue: Catalogue, margin: Floats, factors: NDArray[np.floating] | None) -> Self:
        """Factors count only where no category and no brand tells items apart: they liken what goes together."""
        is_bare = (catalogue.category == UNKNOWN).all() and (catalogue.brand == UNKNOWN).all()
        return cls(catalogue.category, catalogue.brand, margin, factors if is_bare else None)

    @cached_property
    def groupings(self) -> tuple[Numbers, ...]:
        """Category and brand, without the one that is known of no item and so would only dilute similarity."""
        return tuple(groups for groups in (self.category, self.brand) if (groups != UNKNOWN).any())

    @cached_property
    def directions(self) -> NDArray[np.float32] | None:
        """(items, f): rows of ``factors`` at length 1, zeros stay zeros."""
        if self.factors is None:
            return None
        lengths = np.linalg.norm(self.factors, axis=1, keepdims=True)
        return np.divide(self.factors, lengths, out=np.zeros(self.factors.shape), where=lengths > 0).astype(np.float32)


@dataclass(frozen=True)
class RankedCandidates:
    """Candidates of ``customers`` customers, in the ranker's order.

    customer, item, score: (n,), parallel, sorted by customer, then from the highest score, equal ones by item number.
    Scores compare within one customer only.
    """

    customers: int
    customer: Numbers
    item: Numbers
    score: Floats

    @classmethod
    def of(cls, customers: int, customer: Numbers, item: Numbers, score: NDArray[np.floating]) -> Self:
        """From candidates in any order, each customer and item once."""
        order = np.lexsort((item, -score, customer))
        return cls(customers, customer[order], item[order], score[order].astype(np.float64))

    @cached_property
    def starts(self) -> Numbers:
        """(customers + 1,): where each customer's candidates begin."""
        return np.searchsorted(self.customer, np.arange(self.customers + 1))

    @cached_property
    def ranks(self) -> Numbers:
        """(n,): 0 for a customer's best."""
        return np.arange(len(self.customer)) - self.starts[self.customer]

    def best(self, count: int) -> RankedCandidates:
        """The first ``count`` of each customer."""
        kept = self.ranks < count
        return RankedCandidates(self.customers, self.customer[kept], self.item[kept], self.score[kept])

    def of_customers(self, numbers: Numbers) -> RankedCandidates:
        """These customers alone, ascending and numbered anew in this order."""
        place = np.full(self.customers, NOTHING, np.int64)
        place[numbers] = np.arange(len(numbers))
        kept = place[self.customer] != NOTHING
        return RankedCandidates(len(numbers), place[self.customer[kept]], self.item[kept], self.score[kept])


def stacked(parts: Sequence[RankedCandidates]) -> RankedCandidates:
    """Those of some customers, then of others: numbered on in this order."""
    offsets = np.cumsum([0, *(part.customers for part in parts)])
    nothing = np.zeros(0, np.int64)
    return RankedCandidates(
        int(offsets[-1]),
        np.concatenate([nothing, *(part.customer + offset for part, offset in zip(parts, offsets, strict=False))]),
        np.concatenate([nothing, *(part.item for part in parts)]),
        np.concatenate([np.zeros(0), *(part.score for part in parts)]),
    )


@dataclass(frozen=True)
class Likeness:
    """Similarity of the items in the rows of a table to one item per row, from 0 to 1.

    It is the mean of what is known of the shop's items: same category (0 or 1), same brand (0 or 1), and the cosine of
    their factors where there are any, a negative one counting as 0. What is UNKNOWN is like nothing.

    items: (rows, columns). groups: the same of each grouping. directions: (rows, columns, f).
    """

    items: Numbers
    traits: ItemTraits
    groups: tuple[Numbers, ...]
    directions: NDArray[np.float32] | None

    @classmethod
    def among(cls, items: Numbers, traits: ItemTraits) -> Self:
        """Of ``items`` (rows, columns); where they are NOTHING, similarity has no meaning."""
        directions = None if traits.directions is None else traits.directions[items]
        return cls(items, traits, tuple(groups[items] for groups in traits.groupings), directions)

    def to(self, item: Numbers) -> Floats:
        """(rows, columns): to ``item`` (rows,).

        >>> traits = ItemTraits(np.array([4, 4, 5]), np.array([7, 8, UNKNOWN]), np.zeros(3))
        >>> Likeness.among(np.array([[0, 1, 2]]), traits).to(np.array([0])).tolist()
        [[1.0, 0.5, 0.0]]
        """
        total = np.zeros(self.items.shape)
        for groups, of_items in zip(self.groups, self.traits.groupings, strict=True):
            total += _same(groups, of_items[item])
        if self.directions is not None and self.traits.directions is not None:
            # Not a matrix product: its last bits hang on how many columns it has, and so on other customers.
            total += np.clip(np.einsum("rcf,rf->rc", self.directions, self.traits.directions[item]), 0, 1)
        return total / max(len(self.groups) + (self.directions is not None), 1)


def arrange(ranked: RankedCandidates, traits: ItemTraits, rules: Arrangement, length: int) -> tuple[Numbers, Floats]:
    """Items and the ranker's scores (customers, length), best first; a list ends in NOTHING with score 0.

    Only the ``POOL`` · length best candidates of a customer are weighed against each other; those below them, in the
    ranker's order, are for quotas that the pool cannot fill. Where all candidates have run out, what quotas refused
    fills the list, so that rules never make it shorter. A customer's list is the same among any other customers.

    >>> ranked = RankedCandidates.of(1, np.zeros(3, np.int64), np.array([0, 1, 2]), np.array([9.0, 8.0, -1.0]))
    >>> traits = ItemTraits(np.array([4, 4, 5]), np.full(3, UNKNOWN), np.full(3, np.nan))
    >>> arrange(ranked, traits, Arrangement(per_category=1), 4)[0].tolist()
    [[0, 2, 1, -1]]
    """
    items = np.full((ranked.customers, length), NOTHING, np.int64)
    scores = np.zeros((ranked.customers, length))
    pool = POOL * length
    worth = _worth(ranked, traits.margin, rules, pool)
    # Without a quota the pool always fills a list, and nothing below it is looked at.
    deepest = len(ranked.item) if rules.quotas(traits) else pool
    for first in range(0, ranked.customers, CUSTOMERS_AT_ONCE):
        last = min(first + CUSTOMERS_AT_ONCE, ranked.customers)
        part = np.arange(ranked.starts[first], ranked.starts[last])
        part = part[ranked.ranks[part] < deepest]
        if not len(part):
            continue
        # (customers, candidates): where each candidate stands in the arrays of all.
        table = np.full((last - first, ranked.ranks[part].max() + 1), NOTHING, np.int64)
        table[ranked.customer[part] - first, ranked.ranks[part]] = part
        chosen = _fill(table, ranked.item, worth, traits, rules, pool, length)
        items[first:last] = np.where(chosen != NOTHING, ranked.item[chosen], NOTHING)
        scores[first:last] = np.where(chosen != NOTHING, ranked.score[chosen], 0)
    return items, scores


def _worth(ranked: RankedCandidates, margin: Floats, rules: Arrangement, pool: int) -> Floats:
    """(n,): (1 − λ) · relevance, bent by margin, in the pool; below it −2 and less, where no similarity reaches."""
    in_pool = ranked.ranks < pool
    steps = ranked.ranks / pool
    bent = _margin_factor(ranked, margin, rules.margin_weight, in_pool) if rules.margin_weight else 1.0
    return np.where(in_pool, (1 - rules.diversity) * (1 - steps) * bent, -1 - steps)


def _margin_factor(ranked: RankedCandidates, margin: Floats, weight: float, in_pool: Mask) -> Floats:
    """(n,): 1 where the margin is not known."""
    of_candidates = margin[ranked.item]
    known = in_pool & ~np.isnan(of_candidates)
    # bincount adds up one by one, so that a customer's sum is the same among any others.
    total = np.bincount(ranked.customer[known], of_candidates[known], ranked.customers)
    mean = total / np.maximum(np.bincount(ranked.customer[known], minlength=ranked.customers), 1)
    return np.where(known, np.maximum(1 + weight * (of_candidates - mean[ranked.customer]), 0), 1)


def _fill(
    table: Numbers, item: Numbers, worth: Floats, traits: ItemTraits, rules: Arrangement, pool: int, length: int
) -> Numbers:
    """(customers, length): which elements of ``table`` (customers, candidates) make each list, in order.

    table: numbers of candidates, best first; item, worth: (n,) of all candidates.
    """
    rows = np.arange(len(table))
    left = table != NOTHING
    items = np.where(left, item[table], NOTHING)
    value = np.where(left, worth[table], -np.inf)
    quotas = [(groups, groups[items], most) for groups, most in rules.quotas(traits)]
    admitted = left.copy()
    likeness = Likeness.among(items[:, :pool], traits) if rules.diversity else None
    likest = np.zeros(items[:, :pool].shape)
    chosen = np.full((len(table), length), NOTHING, np.int64)
    for place in range(length):
        eligible = np.where(admitted.any(axis=1)[:, None], admitted, left)
        now = np.where(eligible, value, -np.inf)
        now[:, :pool] -= rules.diversity * likest
        column = now.argmax(axis=1)
        chosen[:, place] = np.where(left[rows, column], table[rows, column], NOTHING)
        left[rows, column] = admitted[rows, column] = False
        for groups, of_table, most in quotas:
            full, group = _full(groups[item[chosen[:, : place + 1]]], most)
            admitted &= ~(full[:, None] & (of_table == group[:, None]))
        if likeness is not None:
            np.maximum(likest, likeness.to(items[rows, column]), out=likest)
    return chosen


def _full(groups: Numbers, most: int) -> tuple[Mask, Numbers]:
    """Of each list's ``groups`` (customers, places): whether that of its last item now has ``most``, and which it is.

    A list that has ended holds whatever group; nothing is left to be refused there.
    """
    last = groups[:, -1]
    return ((groups == last[:, None]).sum(axis=1) >= most) & (last != UNKNOWN), last


def _same(groups: Numbers, group: Numbers) -> Mask:
    """(rows, columns): which of ``groups`` are the ``group`` (rows,) of their row; UNKNOWN is like nothing."""
    return np.asarray((groups == group[:, None]) & (group != UNKNOWN)[:, None])

"""The recommender: several models propose, a ranker puts in order. Arrays in, lists out; no database, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.db.tables import DISCOVERY
from include.recommender.candidates import UNRANKED, Candidates, propose, rank_within
from include.recommender.history import History, Numbers
from include.recommender.item_facts import ItemFacts
from include.recommender.models import CandidateModel, ImplicitAls, model_of
from include.recommender.models.interface import NOTHING
from include.recommender.pair_features import pair_features
from include.recommender.ranker import Ranker
from include.recommender.recipe import Recipe

CUSTOMERS_AT_ONCE = 1000
"""So many are scored together: memory is bounded by this, not by how many there are."""
FUSION = 60
"""Cormack et al. 2009: how little the first ranks stand out where models are fused without a ranker."""

Said = Mapping[str, csr_matrix]
"""What each part says: (customers, items)."""


@dataclass(frozen=True)
class Ordered:
    """Candidates with the ranker's scores (n,), and each one's place in its customer's list, from 0."""

    candidates: Candidates
    scores: NDArray[np.float64]
    places: Numbers

    def lists(self, customers: int, length: int) -> tuple[Numbers, NDArray[np.float64]]:
        """Items and scores (customers, length), best first; a list ends in NOTHING."""
        items = np.full((customers, length), NOTHING, np.int64)
        scores = np.zeros((customers, length))
        listed = self.places < length
        at = self.candidates.customer[listed], self.places[listed]
        items[at], scores[at] = self.candidates.item[listed], self.scores[listed]
        return items, scores


@dataclass(frozen=True)
class TwoStage:
    """models: one of each part of the recipe. facts: of the items, as of the day of the fit. rankers: by purpose.

    A purpose without a ranker, where there was too little to learn from, is ordered by reciprocal rank fusion.
    """

    recipe: Recipe
    models: Mapping[str, CandidateModel]
    facts: ItemFacts
    rankers: Mapping[str, Ranker] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        history: History,
        recipe: Recipe,
        *,
        rankers: Mapping[str, Ranker] | None = None,
        threads: int = 1,
    ) -> Self:
        """Every model of the recipe, as of the end of the history's day."""
        models = {
            name: model_of(parameters).fit(history, parameters, threads=threads)
            for name, parameters in recipe.parts.items()
        }
        return cls(recipe, models, ItemFacts.of(history), rankers or {})

    def say(self, history: History, *, threads: int = 1) -> Said:
        """What each part says of the customers of ``history``, for whatever purpose."""
        return {name: model.scores(history, threads=threads) for name, model in self.models.items()}

    def order(
        self,
        history: History,
        said: Said,
        purpose: str,
        *,
        allowed: NDArray[np.bool_] | None = None,
        excluded: csr_matrix | None = None,
        threads: int = 1,
    ) -> Ordered:
        """The candidates of every customer, in order. discovery leaves out what the customer ever bought.

        allowed: (items,), what may be listed. excluded: (customers, items), what not to list for each customer.
        """
        refused = excluded
        if purpose == DISCOVERY:
            refused = history.known if excluded is None else (history.known + excluded).tocsr()
            refused.sort_indices()
        candidates = propose(said, excluded=refused, allowed=allowed)
        if purpose in self.rankers:
            features = pair_features(candidates, history, self.facts)
            scores = self.rankers[purpose].scores(features, threads=threads)
        else:
            scores = fused(candidates)
        return Ordered(candidates, scores, rank_within(candidates.customer, scores, candidates.item))


def fused(candidates: Candidates) -> NDArray[np.float64]:
    """Reciprocal rank fusion of what the models say (Cormack et al. 2009)."""
    ranks = candidates.ranks.astype(np.float64)
    return np.where(ranks < UNRANKED, 1 / (FUSION + 1 + ranks), 0).sum(axis=1)


def blocks(customers: int, size: int = CUSTOMERS_AT_ONCE) -> Iterator[Numbers]:
    """The numbers 0 to customers − 1, ``size`` at a time."""
    for start in range(0, customers, size):
        yield np.arange(start, min(start + size, customers))

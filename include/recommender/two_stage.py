"""The recommender: several models propose, a ranker puts in order. Arrays in, lists out; no database, no clock."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.db.tables import DISCOVERY
from include.recommender.arrange import Arrangement, ItemTraits, RankedCandidates, arrange
from include.recommender.candidates import UNRANKED, Candidates, find, propose, rank_within
from include.recommender.history import Catalogue, History, Numbers
from include.recommender.item_facts import ItemFacts
from include.recommender.models import CandidateModel, ImplicitAls, ImplicitAlsParameters, model_of
from include.recommender.models.implicit_als import Factors
from include.recommender.models.interface import NOTHING
from include.recommender.pair_features import PairFeatures, pair_features
from include.recommender.ranker import Ranker
from include.recommender.recipe import Recipe
from include.recommender.threads import each
from include.recommender.vocabulary import POPULARITY

CUSTOMERS_AT_ONCE = 1000
"""So many are scored together: memory is bounded by this, not by how many there are."""
FUSION = 60
"""Cormack et al. 2009: how little the first ranks stand out where models are fused without a ranker."""

Said = Mapping[str, csr_matrix]
"""What each part says: (customers, items)."""


@dataclass(frozen=True)
class Ordered:
    """Candidates with what the ranker saw of them, its scores (n,), and each one's place in its list, from 0."""

    candidates: Candidates
    features: PairFeatures
    scores: NDArray[np.float64]
    places: Numbers


def lists(candidates: Candidates, places: NDArray[np.number], customers: int, length: int) -> Numbers:
    """(customers, length): items by their places, from 0; a list ends in NOTHING."""
    items = np.full((customers, length), NOTHING, np.int64)
    listed = places < length
    items[candidates.customer[listed], places[listed].astype(np.int64)] = candidates.item[listed]
    return items


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
        start: Mapping[str, Factors] | None = None,
        threads: int = 1,
    ) -> Self:
        """Every model of the recipe, as of the end of the history's day.

        start: item factors (items, factors) of an earlier night by part, from which a few iterations of ALS do.
        """
        # Imports itself in a circle: two threads that load it at once fail.
        importlib.import_module("implicit.cpu.als")

        def fitted(part: str) -> CandidateModel:
            parameters = recipe.parts[part]
            if start and part in start and isinstance(parameters, ImplicitAlsParameters):
                return ImplicitAls.fit(history, parameters, start=start[part])
            return model_of(parameters).fit(history, parameters)

        models = each(fitted, recipe.parts, threads)
        return cls(recipe, models, ItemFacts.of(history), rankers or {})

    @property
    def item_factors(self) -> dict[str, Factors]:
        """(items, factors) of each part that has any."""
        return {name: model.item_factors for name, model in self.models.items() if isinstance(model, ImplicitAls)}

    def traits(self, catalogue: Catalogue, margin: NDArray[np.float64]) -> ItemTraits:
        """What tells the items of ``catalogue`` apart: where it does not, what goes with what by the factors."""
        return ItemTraits.of(catalogue, margin, next(iter(self.item_factors.values()), None))

    def say(self, history: History, *, threads: int = 1) -> Said:
        """What each part says of the customers of ``history``, for whatever purpose."""
        return each(lambda part: self.models[part].scores(history), self.models, threads)

    def order(
        self,
        history: History,
        said: Said,
        purpose: str,
        *,
        allowed: NDArray[np.bool_] | None = None,
        refused: csr_matrix | None,
        threads: int = 1,
    ) -> Ordered:
        """The candidates of every customer, in order.

        allowed: (items,), what may be listed. refused: (customers, items), what not to list, of ``not_to_list``.
        """
        candidates = propose(said, excluded=refused, allowed=allowed)
        features = pair_features(candidates, history, self.facts)
        scores = fused(candidates)
        if purpose in self.rankers:
            scores = self.rankers[purpose].scores(features, threads=threads)
        # Of whoever has no past no ranker has learned anything: what most want stays in its own order.
        has_past = np.bincount(history.customer, minlength=history.customers)[candidates.customer] > 0
        scores = np.where(has_past, scores, candidates.scores[:, candidates.models.index(POPULARITY)])
        return Ordered(candidates, features, scores, rank_within(candidates.customer, scores))


def arranged(ordered: Ordered, traits: ItemTraits, rules: Arrangement, customers: int, length: int) -> Numbers:
    """Places (n,) of the candidates that are listed, by customer, then rank.

    customers: how many the candidates' numbers are of.
    """
    candidates, items = ordered.candidates, len(traits.category)
    ranked = RankedCandidates.of(customers, candidates.customer, candidates.item, ordered.scores)
    listed, _ = arrange(ranked, traits, rules, length)
    rows, places = np.nonzero(listed != NOTHING)
    return find(candidates.customer * items + candidates.item, rows * items + listed[rows, places])[0]


def not_to_list(history: History, purpose: str, others: csr_matrix | None = None) -> csr_matrix | None:
    """(customers, items): for discovery what each customer ever bought, for either purpose ``others``."""
    if purpose != DISCOVERY:
        return others
    return history.known if others is None else (history.known + others).tocsr().sorted_indices()


def fused(candidates: Candidates) -> NDArray[np.float64]:
    """Reciprocal rank fusion of what the models say (Cormack et al. 2009)."""
    ranks = candidates.ranks.astype(np.float64)
    return np.where(ranks < UNRANKED, 1 / (FUSION + 1 + ranks), 0).sum(axis=1)


def blocks(customers: int, size: int = CUSTOMERS_AT_ONCE) -> Iterator[Numbers]:
    """The numbers 0 to customers − 1, ``size`` at a time."""
    for start in range(0, customers, size):
        yield np.arange(start, min(start + size, customers))

"""The lists of many customers, from matrices: arrays in, rows out.

Each list is filled in the same order of sources: what the model and the own history say, then favourites of the
customer's categories, then what is popular. A row names the source it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import als, ranking
from include.recommender.als import NOTHING, Factors, ModelParameters
from include.recommender.ranking import Numbers, Ranked, Scores
from include.recommender.vocabulary import (
    ALS,
    CATEGORY_FAVOURITES,
    OWN_HISTORY,
    POPULARITY,
)


@dataclass(frozen=True)
class Catalogue:
    """Items by number: popularity (items,), category (items,; "" for none), and whether each may be recommended."""

    popularity: Scores
    categories: NDArray[np.object_]
    allowed: NDArray[np.bool_]
    titled: NDArray[np.bool_]

    @cached_property
    def by_popularity(self) -> Ranked:
        """Every allowed item, the most popular first, then by number."""
        allowed = np.flatnonzero(self.allowed)
        items = allowed[np.argsort(-self.popularity[allowed], kind="stable")]
        return Ranked.of(items, self.popularity[items], POPULARITY)

    @cached_property
    def by_category(self) -> dict[str, Numbers]:
        """The allowed items of each category that anyone bought, the most popular first."""
        items = self.by_popularity.items[self.by_popularity.scores > 0]
        categories = self.categories[items]
        return {str(category): items[categories == category] for category in set(categories) if category}


@dataclass(frozen=True)
class FittedModel:
    """Item factors (items, factors) in the catalogue's numbers; a row of zeros where the model knows nothing."""

    item_factors: Factors
    parameters: ModelParameters
    blend_weight: float

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        """YᵀY."""
        y = self.item_factors.astype(np.float64)
        return y.T @ y


@dataclass(frozen=True)
class CustomerList:
    """One list: item numbers, scores, strategies and reasons (numbers, NOTHING for none), by rank."""

    customer: int
    purpose: str
    ranked: Ranked
    reasons: Numbers


@dataclass(frozen=True)
class CustomerPast:
    """What one customer did: items by number with their weights, what was bought, and favourite categories."""

    items: Numbers
    weights: Scores
    bought: frozenset[int]
    favourites: list[str]


def make_lists(
    weights: csr_matrix,
    bought: csr_matrix,
    favourites: list[list[str]],
    catalogue: Catalogue,
    model: FittedModel | None,
    *,
    length: int,
    threads: int,
) -> Iterator[CustomerList]:
    """Both lists of every customer. weights, bought: (customers, items); favourites: categories of each customer."""
    pasts = [
        CustomerPast(*ranking.row(weights, number), frozenset(ranking.row(bought, number)[0].tolist()), categories)
        for number, categories in enumerate(favourites)
    ]
    best = _OwnHistoryAlone() if model is None else _ModelScores.of(model, weights, bought, catalogue, length, threads)
    for number, past in enumerate(pasts):
        for purpose, first, excluded in (
            (NEXT_PURCHASE, best.next_purchases(number, past, catalogue), frozenset[int]()),
            (DISCOVERY, best.discoveries(number), past.bought),
        ):
            sources = _sources(first, past, catalogue, length + len(excluded))
            ranked = ranking.fill_up(sources, length, excluded)
            yield CustomerList(number, purpose, ranked, _reasons(ranked, past, catalogue, model))


@dataclass(frozen=True)
class _ModelScores:
    """What the model says of all customers at once: their factors, and its best items outside what they know."""

    model: FittedModel
    customer_factors: Factors
    new: tuple[NDArray[np.int32], NDArray[np.float32]]
    unbought: tuple[NDArray[np.int32], NDArray[np.float32]]

    @classmethod
    def of(
        cls,
        model: FittedModel,
        weights: csr_matrix,
        bought: csr_matrix,
        catalogue: Catalogue,
        length: int,
        threads: int,
    ) -> _ModelScores:
        factors = als.fold_in(model.item_factors, weights, model.parameters, threads)
        refused = np.flatnonzero(~catalogue.allowed)
        new, unbought = (
            als.best_items(model.item_factors, factors, length, excluded=known, refused_items=refused, threads=threads)
            for known in (weights, bought)
        )
        return cls(model, factors, new, unbought)

    def next_purchases(self, number: int, past: CustomerPast, catalogue: Catalogue) -> Ranked:
        allowed = catalogue.allowed[past.items]
        own = past.items[allowed]
        found = self.new[0][number] != NOTHING
        return ranking.blend(
            own,
            past.weights[allowed],
            self.model.item_factors[own] @ self.customer_factors[number],
            self.new[0][number][found],
            self.new[1][number][found],
            weight=self.model.blend_weight,
            length=self.new[0].shape[1],
        )

    def discoveries(self, number: int) -> Ranked:
        found = self.unbought[0][number] != NOTHING
        return Ranked.of(self.unbought[0][number][found], self.unbought[1][number][found], ALS)


class _OwnHistoryAlone:
    """The same questions where no model is in force."""

    def next_purchases(self, number: int, past: CustomerPast, catalogue: Catalogue) -> Ranked:
        allowed = catalogue.allowed[past.items]
        own, weights = past.items[allowed], past.weights[allowed]
        order = np.lexsort((own, -weights))
        return Ranked.of(own[order], weights[order], OWN_HISTORY)

    def discoveries(self, number: int) -> Ranked:
        return Ranked.of(np.zeros(0, np.int64), np.zeros(0), ALS)


def _sources(first: Ranked, past: CustomerPast, catalogue: Catalogue, enough: int) -> Iterator[Ranked]:
    """Rankings in the order they fill a list; the later ones are made only when needed. enough: items to offer."""
    yield first
    of_categories = [catalogue.by_category[name][:enough] for name in past.favourites if name in catalogue.by_category]
    turns = ranking.take_turns(of_categories)
    yield Ranked.of(turns, catalogue.popularity[turns], CATEGORY_FAVOURITES)
    yield catalogue.by_popularity


def _reasons(ranked: Ranked, past: CustomerPast, catalogue: Catalogue, model: FittedModel | None) -> Numbers:
    """The item of the customer's past that explains each row: itself for own history, the strongest one for ALS.

    Only an item that has a title can be shown as a reason.
    """
    by_model = np.array([strategy == ALS for strategy in ranked.strategies], bool)
    own = np.array([strategy == OWN_HISTORY for strategy in ranked.strategies], bool)
    reasons = np.where(own, ranked.items, NOTHING)
    if model is not None and by_model.any():
        reasons[by_model] = als.strongest_reasons(
            model.item_factors,
            model.gram,
            past.items,
            past.weights,
            ranked.items[by_model],
            model.parameters,
            presentable=catalogue.titled[past.items],
        )
    return reasons

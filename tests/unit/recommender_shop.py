"""A small shop with known habits, in arrays: who buys what, how often, and what they take up next."""

from __future__ import annotations

from functools import cache

import numpy as np

from include.recommender import learning
from include.recommender.history import Catalogue, History
from include.recommender.models import (
    EaseParameters,
    ImplicitAlsParameters,
    ItemNeighboursParameters,
    OwnHistoryParameters,
    PopularityParameters,
)
from include.recommender.ranker import RankerParameters
from include.recommender.recipe import Recipe
from include.recommender.two_stage import TwoStage

TODAY = 17_500
CUSTOMERS, ITEMS, SHELVES = 120, 60, 3
RECIPE = Recipe(
    {
        "own_history": OwnHistoryParameters(60.0),
        "als": ImplicitAlsParameters(factors=8, regularization=1.0),
        "ease": EaseParameters(regularization=5.0),
        "item_neighbours": ItemNeighboursParameters(),
        "popularity": PopularityParameters(),
    },
    RankerParameters(rounds=30, smallest_leaf=20, negative_share=1.0),
)


def history(seed: int = 3, days: int = 120) -> History:
    """Customers keep to the shelf of their number, come about every fourth day, and have favourites there."""
    random = np.random.default_rng(seed)
    elements = []
    for customer in range(CUSTOMERS):
        shelf = customer % SHELVES + SHELVES * np.arange(ITEMS // SHELVES)
        liking = random.permutation(1 / np.arange(1, len(shelf) + 1))
        for day in range(TODAY - days + 1, TODAY + 1):
            if random.random() < 0.25:
                bought = random.choice(shelf, size=3, replace=False, p=liking / liking.sum())
                elements += [(customer, item, day) for item in bought]
    numbers = np.array(elements, np.int64)
    shelf_of = np.arange(ITEMS, dtype=np.int64) % SHELVES
    catalogue = Catalogue(shelf_of, shelf_of, 1.0 + np.arange(ITEMS) % 7)
    return History.of(CUSTOMERS, catalogue, TODAY, numbers[:, 0], numbers[:, 1], numbers[:, 2])


HISTORY = history()


@cache
def learned() -> TwoStage:
    """Fitted today, its rankers learned on two earlier cuts."""
    told = []
    for split in learning.splits(HISTORY, days=28, count=2, seed=1):
        fitted = TwoStage.fit(split.past, RECIPE)
        told.append(learning.lessons(fitted, split, learning.known_buyers(split), seed=1))
    return TwoStage.fit(HISTORY, RECIPE, rankers=learning.learn(told, RECIPE))

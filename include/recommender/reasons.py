"""Why an item stands in a list: the model that spoke for it most, and what of the customer's past weighed most."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from include.recommender.history import History, Numbers
from include.recommender.models.interface import NOTHING, Explains, Explanation
from include.recommender.two_stage import Ordered, TwoStage
from include.recommender.vocabulary import (
    ALS,
    CATEGORY_FAVOURITES,
    EASE,
    ITEM_NEIGHBOURS,
    LOOKED_AT,
    OWN_HISTORY,
    POPULARITY,
    TRENDING,
    USER_NEIGHBOURS,
)

STRATEGIES = {
    "own_history": OWN_HISTORY,
    "own_lately": OWN_HISTORY,
    "als": ALS,
    "ease": EASE,
    "item_neighbours": ITEM_NEIGHBOURS,
    "user_neighbours": USER_NEIGHBOURS,
    "recent_neighbours": USER_NEIGHBOURS,
    "attributes": CATEGORY_FAVOURITES,
    "trending": TRENDING,
    "popularity": POPULARITY,
}
"""The word of ``recommendations.strategy`` for each part of a recipe."""

GOES_TOGETHER = (ITEM_NEIGHBOURS, EASE, ALS)
"""Parts that can say what of a customer's past goes with an item that customers of like taste have."""


def strategies(ordered: Ordered, listed: Numbers) -> NDArray[np.object_]:
    """(listed,): of each of the candidates ``listed`` by their places, what it is there for.

    What the customer bought is there for the own history, what else they did something with because they looked at it,
    and anything else for the part that ranked it best.
    """
    candidates = ordered.candidates
    words = np.array([STRATEGIES[part] for part in candidates.models], object)
    best = words[candidates.ranks[listed].argmin(axis=1)]
    met, bought = (ordered.features.of_name(name)[listed] > 0 for name in ("own_days", "own_bought_days"))
    return np.where(bought, OWN_HISTORY, np.where(met, LOOKED_AT, best))


def reasons(
    fitted: TwoStage,
    history: History,
    customer: Numbers,
    item: Numbers,
    strategy: NDArray[np.object_],
    *,
    presentable: NDArray[np.bool_],
) -> Numbers:
    """(n,): the item of what the customer bought that weighs most for each listed item; NOTHING where there is none.

    customer: ascending. An item of the customer's own past is its own reason; no other is, nor one that is not
    ``presentable`` (items,), since it could not be shown.
    """
    explain = {
        STRATEGIES[part]: model.explain(history) for part, model in fitted.models.items() if isinstance(model, Explains)
    }
    if USER_NEIGHBOURS not in explain:
        together = next((explain[name] for name in GOES_TOGETHER if name in explain), None)
        explain |= {USER_NEIGHBOURS: together} if together else {}
    found = np.where((strategy == OWN_HISTORY) | (strategy == LOOKED_AT), item, NOTHING)
    bought = history.known
    bounds = [*np.flatnonzero(np.diff(customer, prepend=NOTHING)), len(customer)]
    for begin, end in pairwise(bounds):
        number = int(customer[begin])
        reason = bought.indices[bought.indptr[number] : bought.indptr[number + 1]]
        _explain_customer(
            explain, number, item[begin:end], strategy[begin:end], reason[presentable[reason]], found[begin:end]
        )
    return found


def _explain_customer(
    explain: Mapping[str, Explanation],
    customer: int,
    item: Numbers,
    strategy: NDArray[np.object_],
    presentable: NDArray[np.integer],
    found: Numbers,
) -> None:
    """Fills ``found`` in place, by items that are ``presentable``."""
    for name in explain:
        places = np.flatnonzero(strategy == name)
        if not len(places):
            continue
        own, contributions = explain[name](customer, item[places])
        if not len(own):
            continue
        shown = np.isin(own, presentable)[:, None] & (own[:, None] != item[places][None, :])
        contributions = np.where(shown, contributions, 0)
        strongest = contributions.argmax(axis=0)
        positive = contributions[strongest, np.arange(len(places))] > 0
        found[places] = np.where(positive, own[strongest], NOTHING)

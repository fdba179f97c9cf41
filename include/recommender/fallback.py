"""What fills a list where no model has more to say: favourites of the customer's categories, then what is popular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from include.recommender.history import Numbers
from include.recommender.vocabulary import CATEGORY_FAVOURITES, POPULARITY


@dataclass(frozen=True)
class Fallback:
    """popularity: (items,), 0 for what nobody has. categories: (items,), "" for none. allowed: what may be listed."""

    popularity: NDArray[np.floating]
    categories: NDArray[np.object_]
    allowed: NDArray[np.bool_]

    @cached_property
    def by_popularity(self) -> Numbers:
        """Every allowed item, the most popular first, then by number."""
        allowed = np.flatnonzero(self.allowed)
        return allowed[np.argsort(-self.popularity[allowed], kind="stable")]

    @cached_property
    def by_category(self) -> dict[str, Numbers]:
        """The allowed items of each category that anyone has, the most popular first."""
        items = self.by_popularity[self.popularity[self.by_popularity] > 0]
        codes, names = pd.factorize(self.categories[items])
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        return {
            str(name): items[order[begin:end]]
            for name, (begin, end) in zip(names, pairwise(bounds), strict=True)
            if name
        }

    def fill(self, taken: Numbers, missing: int, favourites: Sequence[str] = ()) -> tuple[Numbers, list[str]]:
        """Up to ``missing`` more items without those ``taken``, and the strategy of each.

        favourites: the customer's categories; the best of each takes its turn.
        """
        enough = missing + len(taken)
        turns = take_turns([self.by_category[name][:enough] for name in favourites if name in self.by_category])
        of_categories = turns[~np.isin(turns, taken)][:missing]
        taken = np.concatenate([taken, of_categories])
        head = self.by_popularity[: missing + len(taken)]
        popular = head[~np.isin(head, taken)][: missing - len(of_categories)]
        strategies = [CATEGORY_FAVOURITES] * len(of_categories) + [POPULARITY] * len(popular)
        return np.concatenate([of_categories, popular]), strategies


def take_turns(rankings: Sequence[Numbers]) -> Numbers:
    """The first of each, then the second of each, and so on.

    >>> take_turns([np.array([1, 2, 3]), np.array([8])]).tolist()
    [1, 8, 2, 3]
    """
    longest = max((len(ranking) for ranking in rankings), default=0)
    turns = [int(ranking[turn]) for turn in range(longest) for ranking in rankings if turn < len(ranking)]
    return np.array(list(dict.fromkeys(turns)), np.int64)

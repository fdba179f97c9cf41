"""What several models propose for each customer, as one set of pairs for a ranker to order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.recommender.history import Numbers, distinct
from include.recommender.models.interface import REACH

PROPOSED = 80
"""So many items each model proposes for a customer."""
UNRANKED = 2 * REACH
"""The rank of an item where a model does not speak for it."""


@dataclass(frozen=True)
class Candidates:
    """One element per customer and item that some model proposes, sorted by customer, then item.

    scores, ranks: (n, models) in the order of ``models``: what each model says of the pair, whether or not it was among
    those that proposed it; rank 0 is a customer's best, UNRANKED with score 0 is no word at all.
    """

    models: tuple[str, ...]
    customer: Numbers
    item: Numbers
    scores: NDArray[np.float32]
    ranks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.item)


def propose(
    scores: Mapping[str, csr_matrix],
    *,
    excluded: csr_matrix | None = None,
    allowed: NDArray[np.bool_] | None = None,
    proposed: int = PROPOSED,
) -> Candidates:
    """The ``proposed`` best of each model's (customers, items), put together.

    excluded: (customers, items), what not to propose for each customer. allowed: (items,), what may be proposed at all.

    >>> found = propose({"a": csr_matrix([[3.0, 2.0, 0.0]]), "b": csr_matrix([[0.0, 1.0, 5.0]])}, proposed=1)
    >>> found.item.tolist(), found.ranks[:, 0].tolist()
    ([0, 2], [0.0, 600.0])
    """
    refused = None if excluded is None else _keys(excluded)
    spoken = [_ranked(matrix, refused, allowed) for matrix in scores.values()]
    chosen = [keys[ranks < proposed] for keys, _, ranks in spoken]
    key = distinct(np.concatenate([np.zeros(0, np.int64), *chosen]))
    of_pairs = np.zeros((len(key), len(spoken)), np.float32)
    ranks_of_pairs = np.full((len(key), len(spoken)), UNRANKED, np.float32)
    for column, (keys, values, ranks) in enumerate(spoken):
        place, there = find(keys, key)
        of_pairs[there, column] = values[place[there]]
        ranks_of_pairs[there, column] = ranks[place[there]]
    items = next(iter(scores.values())).shape[1] if scores else 1
    customer, item = np.divmod(key, max(items, 1))
    return Candidates(tuple(scores), customer, item, of_pairs, ranks_of_pairs)


def find(keys: Numbers, wanted: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Where each of ``wanted`` lies in the ascending ``keys``, and whether it is there at all.

    >>> find(np.array([2, 5]), np.array([5, 3]))[1].tolist()
    [True, False]
    """
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted


def rank_within(groups: Numbers, scores: NDArray[np.floating]) -> Numbers:
    """The place of each element in its group, 0 for the highest score; equal ones in the order given.

    >>> rank_within(np.array([0, 0, 1]), np.array([1.0, 2.0, 0.5])).tolist()
    [1, 0, 0]
    """
    order = np.lexsort((-scores, groups))
    ordered = groups[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
    return ranks


def _keys(matrix: csr_matrix) -> Numbers:
    """Row × columns + column of each element, ascending."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return rows * matrix.shape[1] + matrix.indices


def _ranked(
    matrix: csr_matrix, refused: Numbers | None, allowed: NDArray[np.bool_] | None
) -> tuple[Numbers, NDArray[np.float32], Numbers]:
    """Keys, scores and ranks of what a model says, without what may not be proposed."""
    keys = _keys(matrix)
    keep = np.ones(len(keys), bool)
    if allowed is not None:
        keep &= allowed[matrix.indices]
    if refused is not None:
        keep &= ~find(refused, keys)[1]
    keys, values = keys[keep], matrix.data[keep]
    customers = keys // max(matrix.shape[1], 1)
    return keys, values, rank_within(customers, values)

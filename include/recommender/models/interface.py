"""What every candidate model can do, and how its scores become lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.recommender.history import History, Numbers

NOTHING = -1
"""The item number where a list has ended."""

REACH = 300
"""So many of the best items that a customer does not know a model scores, beside those known: memory is bounded."""

Arrays = dict[str, NDArray[Any]]


class CandidateModel(Protocol):
    """A model of what customers want, fitted once and asked for many customers at a time."""

    name: ClassVar[str]

    @property
    def parameters(self) -> Any:
        """A frozen dataclass of numbers and words."""
        ...

    @classmethod
    def fit(cls, history: History, parameters: Any, *, threads: int = 1) -> Self:
        """The same model, bit for bit, for the same history, whatever the number of ``threads``."""
        ...

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        """(customers, items) of the customers of ``history``: above zero where the model speaks for an item.

        The same items as those it was fitted on, in the same order. A customer's row is the same, bit for bit, among
        any other customers. It holds every item of the customer's history that the model speaks for, and the REACH
        best others.
        """
        ...

    def arrays(self) -> Arrays:
        """What ``restore`` needs, without pickles: the model's part of an artifact."""
        ...

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        """The model whose ``arrays`` and ``asdict(parameters)`` these are."""
        ...


Explanation = Callable[[int, Numbers], tuple[NDArray[np.integer], NDArray[np.float64]]]
"""Of a customer and items (n,): the items of the history (m,), and what each brought to each score (m, n)."""


@runtime_checkable
class Explains(Protocol):
    """A model whose scores are sums over what the customer had."""

    def explain(self, history: History) -> Explanation: ...


def linear(rows: csr_matrix, weights: csr_matrix) -> Explanation:
    """Of scores rows @ weights: rows (customers, items), weights (items, items)."""
    by_column = weights.tocsc()
    place = np.full(weights.shape[0], NOTHING, np.int64)

    def contributions(customer: int, listed: Numbers) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        own, values = _row(rows, customer)
        brought = np.zeros((len(own), len(listed)))
        place[own] = np.arange(len(own))
        for number, item in enumerate(listed):
            begin, end = by_column.indptr[item : item + 2]
            at = place[by_column.indices[begin:end]]
            known = at != NOTHING
            brought[at[known], number] = by_column.data[begin:end][known] * values[at[known]]
        place[own] = NOTHING
        return own, brought

    return contributions


def best(
    scores: csr_matrix,
    length: int,
    *,
    excluded: csr_matrix | None = None,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Items and scores (customers, length) of highest score above zero, best first, equal ones by item number.

    excluded: (customers, items), what not to list for each customer. allowed: (items,), what may be listed at all. A
    list ends in NOTHING with score 0.

    >>> items, _ = best(csr_matrix([[0.5, 0.0, 2.0]]), 3)
    >>> items.tolist()
    [[2, 0, -1]]
    """
    listed = np.full((scores.shape[0], length), NOTHING, np.int64)
    values = np.zeros((scores.shape[0], length), np.float32)
    for row in range(scores.shape[0]):
        items, of_items = _row(scores, row)
        keep = of_items > 0
        if allowed is not None:
            keep &= allowed[items]
        if excluded is not None:
            keep &= ~np.isin(items, _row(excluded, row)[0])
        items, of_items = items[keep], of_items[keep]
        if len(items) > length:
            largest = _largest(of_items, items, length)
            items, of_items = items[largest], of_items[largest]
        order = np.lexsort((items, -of_items))[:length]
        listed[row, : len(order)], values[row, : len(order)] = items[order], of_items[order]
    return listed, values


def reach(scores: csr_matrix, history: History) -> csr_matrix:
    """``scores`` above zero of items in each customer's history, and of the REACH best others, equal ones by number."""
    met = np.zeros(scores.shape[1], bool)
    begins = np.searchsorted(history.pairs.customer, np.arange(history.customers + 1))
    kept = []
    for row in range(scores.shape[0]):
        items, of_items = _row(scores, row)
        own = history.pairs.item[begins[row] : begins[row + 1]]
        met[own] = True
        known = met[items]
        met[own] = False
        others = np.flatnonzero((of_items > 0) & ~known)
        if len(others) > REACH:
            others = others[_largest(of_items[others], items[others], REACH)]
        chosen = np.concatenate([np.flatnonzero(known & (of_items > 0)), others])
        kept.append(chosen + scores.indptr[row])
    places = np.concatenate([np.zeros(0, np.int64), *kept])
    lengths = np.cumsum([0, *(len(chosen) for chosen in kept)])
    made = csr_matrix((scores.data[places], scores.indices[places], lengths), shape=scores.shape)
    made.sort_indices()
    return made


def _largest(values: NDArray[np.float32], items: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Places of the ``count`` largest; of those that tie with the last one, the lowest item numbers."""
    last = np.partition(values, len(values) - count)[len(values) - count]
    above, level = np.flatnonzero(values > last), np.flatnonzero(values == last)
    return np.concatenate([above, level[np.argsort(items[level])][: count - len(above)]])


def _row(matrix: csr_matrix, number: int) -> tuple[NDArray[np.integer], NDArray[np.float32]]:
    begin, end = matrix.indptr[number], matrix.indptr[number + 1]
    return matrix.indices[begin:end], matrix.data[begin:end]


def pack(matrix: csr_matrix, prefix: str) -> Arrays:
    """A sparse matrix as arrays, to be read by ``unpack``."""
    return {
        f"{prefix}_data": matrix.data,
        f"{prefix}_indices": matrix.indices,
        f"{prefix}_indptr": matrix.indptr,
        f"{prefix}_shape": np.array(matrix.shape, np.int64),
    }


def unpack(arrays: Arrays, prefix: str) -> csr_matrix:
    data, indices, indptr, shape = (arrays[f"{prefix}_{part}"] for part in ("data", "indices", "indptr", "shape"))
    return csr_matrix((data, indices, indptr), shape=(int(shape[0]), int(shape[1])))


def nothing(customers: int, items: int) -> csr_matrix:
    """A matrix without any score."""
    return csr_matrix(
        (np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(customers + 1, np.int32)), (customers, items)
    )


def to_power(matrix: csr_matrix, power: float) -> csr_matrix:
    """Each value to ``power``."""
    raised = matrix.copy()
    raised.data = raised.data ** np.float32(power)
    return raised


def unit_rows(matrix: csr_matrix) -> csr_matrix:
    """Each row at Euclidean length 1; an empty one stays empty."""
    squares = np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel()
    lengths = np.where(squares > 0, np.sqrt(squares), 1)
    scaled = matrix.copy()
    scaled.data = (scaled.data / np.repeat(lengths, np.diff(scaled.indptr))).astype(np.float32)
    return scaled


def buyers(matrix: csr_matrix) -> NDArray[np.int64]:
    """(items,): how many rows have each column."""
    return np.bincount(matrix.indices, minlength=matrix.shape[1])


def most_met(weights: csr_matrix, count: int) -> NDArray[np.int64]:
    """The ``count`` columns of largest total weight, in ascending order, none without any."""
    total = np.bincount(weights.indices, weights.data, minlength=weights.shape[1])
    order = np.lexsort((np.arange(len(total)), -total))[:count]
    return np.sort(order[total[order] > 0])

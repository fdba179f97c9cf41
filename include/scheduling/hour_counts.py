"""What customers were sent and clicked, by day type and hour of their own clock: what hours are learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

HOURS = 24
DAY_TYPES = 2


@dataclass(frozen=True)
class Counts:
    """sends, clicks: (customers, day type, hour), decayed, 0 ≤ clicks ≤ sends. segment: (customers,) codes from 0.

    activity: (customers, hour), shares of shop activity by hour; rows of zeros where there is none.

    worth: Σ w / Σ w² over the weights w ≤ 1 of all sends (Kish 1965). A sum of decayed clicks varies less than a
    Poisson count of the same mean; times ``worth`` its variance is its mean again. Taken for counts as they are,
    decayed ones would hide how much customers differ, and intervals would be too narrow.
    """

    sends: Floats
    clicks: Floats
    segment: Codes
    activity: NDArray[np.floating[Any]]
    worth: float = 1.0

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def totals(self) -> tuple[float, float]:
        """All sends and all clicks."""
        return float(self.sends.sum()), float(self.clicks.sum())

    @property
    def written_to(self) -> NDArray[np.int64]:
        """Numbers of the customers with any send, ascending."""
        return np.flatnonzero(self.sends.any(axis=(1, 2)))

    def of(self, customers: NDArray[Any]) -> Counts:
        return replace(
            self,
            sends=self.sends[customers],
            clicks=self.clicks[customers],
            segment=self.segment[customers],
            activity=self.activity[customers],
        )

    def effective(self) -> Self:
        return replace(self, sends=self.sends * self.worth, clicks=self.clicks * self.worth, worth=1.0)


@dataclass(frozen=True)
class SparseCounts:
    """The counts of all customers of a large shop, of which hardly any cell has a send.

    cell: (cells with sends,), ascending: (customer · DAY_TYPES + day type) · HOURS + hour. sends, clicks: beside it.
    segment, activity, worth: as of ``Counts``.
    """

    cell: NDArray[np.int64]
    sends: Floats
    clicks: Floats
    segment: Codes
    activity: NDArray[np.float32]
    worth: float = 1.0

    def __len__(self) -> int:
        return len(self.segment)

    def effective(self) -> Self:
        return replace(self, sends=self.sends * self.worth, clicks=self.clicks * self.worth, worth=1.0)

    @property
    def totals(self) -> tuple[float, float]:
        return float(self.sends.sum()), float(self.clicks.sum())

    @property
    def written_to(self) -> NDArray[np.int64]:
        return np.unique(self.cell // (DAY_TYPES * HOURS))

    def of(self, customers: NDArray[Any]) -> Counts:
        """These customers' (numbers, ascending) as whole arrays."""
        size = DAY_TYPES * HOURS
        first, last = np.searchsorted(self.cell, customers * size), np.searchsorted(self.cell, (customers + 1) * size)
        held = last - first
        found = np.repeat(first - np.cumsum(held) + held, held) + np.arange(held.sum())
        row = np.repeat(np.arange(len(customers)), held)
        sends, clicks = np.zeros((2, len(customers), size))
        for whole, told in ((sends, self.sends), (clicks, self.clicks)):
            whole[row, self.cell[found] % size] = told[found]
        shape = len(customers), DAY_TYPES, HOURS
        segment, activity = self.segment[customers], self.activity[customers]
        return Counts(sends.reshape(shape), clicks.reshape(shape), segment, activity, self.worth)

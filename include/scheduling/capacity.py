"""Which messages keep their drawn hour when hours have room for only so many: scarce hours go by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Wish:
    """One message that wants an hour."""

    hours: tuple[datetime, ...]
    """Its feasible slots' instants in UTC."""
    values: NDArray[np.float64]
    """Expected value at each of them, shape (slots,)."""
    drawn: int
    """The slot the policy drew."""


def utc_hour(instant: datetime) -> datetime:
    """The provider counts by the hour of UTC; zones of a half hour share two."""
    return instant.replace(minute=0, second=0, microsecond=0)


def place(wishes: Sequence[Wish], used: Counter[datetime], capacity: int | None) -> list[int | None]:
    """The slot of each wish within ``capacity`` messages per hour, None where no feasible hour has room.

    The wishes choose in the order of their best value, equal ones as they come: the drawn slot if it has room, else
    the best that has. So whoever goes without is worth least. One pass in a fixed order also makes a rerun agree with
    the first run when some of its messages are already taken up and their room is gone. ``used`` counts up.
    """
    if capacity is None:
        return [wish.drawn for wish in wishes]
    placed: list[int | None] = [None] * len(wishes)
    for position in sorted(range(len(wishes)), key=lambda position: -wishes[position].values.max()):
        wish = wishes[position]
        for slot in (wish.drawn, *np.argsort(-wish.values, kind="stable")):
            hour = utc_hour(wish.hours[slot])
            if used[hour] < capacity:
                used[hour] += 1
                placed[position] = int(slot)
                break
    return placed

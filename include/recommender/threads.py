"""Independent work side by side: the arithmetic of numpy, scipy and ``implicit`` lets go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# OpenMP's threads sleep while they wait for each other: spinning, as they would, they lose most of their time wherever
# anything else runs beside them. Read when the first library that brings it is loaded, which all are only when needed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Result = TypeVar("Result")


def each(work: Callable[[str], Result], names: Iterable[str], threads: int) -> dict[str, Result]:
    """What ``work`` makes of each name, in the order of ``names``, on up to ``threads`` threads."""
    names = list(names)
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))

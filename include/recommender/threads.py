"""Independent work side by side: the arithmetic of numpy, scipy and ``implicit`` lets go of Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def each(work: Callable[[str], Result], names: Iterable[str], threads: int) -> dict[str, Result]:
    """What ``work`` makes of each name, in the order of ``names``, on up to ``threads`` threads."""
    names = list(names)
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))

"""Seeded chance without a state: a draw depends on the names it is asked under and on its subject, and on nothing else.

A random generator gives its numbers in order, so a world drawn from one changes with the order in which it is asked.
Here a draw is a hash (splitmix64, Steele, Lea & Flood 2014) of the names (world seed, what for, day) and the subject:
any subset, in any order, on any day, gives the same numbers, and a million at a time.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Subjects = NDArray[np.uint64]
Numbers = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_TWO_TO_53 = float(2**53)
_MOST = 64
"""No count of events per customer and day goes beyond."""
_HEX = np.array([f"{byte:02x}" for byte in range(256)], dtype="S2")


def uniform(subjects: Subjects, *names: object) -> Floats:
    """A number in (0, 1) for each subject, of the subjects' shape."""
    return ((_hashed(subjects, names) >> np.uint64(11)).astype(np.float64) + 0.5) / _TWO_TO_53


def normal(subjects: Subjects, *names: object) -> Floats:
    """A standard normal number for each subject."""
    drawn: Floats = ndtri(uniform(subjects, *names))
    return drawn


def chosen(subjects: Subjects, shares: Floats, *names: object) -> Numbers:
    """For each subject a place in ``shares``, as often as its share of their sum."""
    ends = np.cumsum(shares / shares.sum())
    return np.minimum(np.searchsorted(ends, uniform(subjects, *names), side="right"), len(shares) - 1)


def poisson(subjects: Subjects, mean: Floats, *names: object) -> Numbers:
    """A Poisson count for each subject, by inversion; means are small."""
    drawn = uniform(subjects, *names)
    term = np.exp(-mean)
    below, count = term.copy(), np.zeros(len(subjects), np.int64)
    for number in range(1, _MOST):
        over = drawn > below
        if not over.any():
            break
        count[over] = number
        term = term * mean / number
        below += term
    return count


def geometric(subjects: Subjects, mean: float, *names: object) -> Numbers:
    """A count from 0 with this mean, for each subject."""
    stay = mean / (1 + mean)
    return np.minimum(np.log(uniform(subjects, *names)) // np.log(stay), _MOST).astype(np.int64)


def numbered(subjects: Subjects, numbers: Numbers) -> Subjects:
    """Subjects of their own for the numbered parts of each subject; shapes are broadcast."""
    with np.errstate(over="ignore"):
        return _mixed(subjects + _GOLDEN * (numbers.astype(np.uint64) + np.uint64(1)))


def of_texts(texts: NDArray[np.object_]) -> Subjects:
    """The subjects that ids stand for, (n,)."""
    return pd.util.hash_array(np.asarray(texts, dtype=object), categorize=False)


def opaque_ids(subjects: Subjects, *names: object) -> pyarrow.Array:
    """An id of 16 hexadecimal digits for each subject, (n,), that tells neither the subject nor the names."""
    digits = _HEX[_hashed(subjects, names).astype(">u8").view(np.uint8)].view("S16")
    return pyarrow.array(digits).cast(pyarrow.string())


def _hashed(subjects: Subjects, names: tuple[object, ...]) -> Subjects:
    base = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return _mixed(subjects ^ np.uint64(int.from_bytes(base[:8], "big")))


def _mixed(values: Subjects) -> Subjects:
    """splitmix64's output function, after one step of its counter; overflow is meant."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))

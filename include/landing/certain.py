"""Texts that are good beyond doubt, told and read by arrow: most of most files, many times faster than in SQL.

Nothing is refused here. What is not certain goes to the SQL rules of ``kinds``, which alone judge; what is certain they
would accept as well, with the same value, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.compute

Column = Any
"""A pyarrow.ChunkedArray of strings."""
Mask = Any
"""A boolean per row; null counts as false."""

_STRING = pyarrow.string()

_SAFE_DAY = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
"""A month and day that every year has."""
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_OFFSET = r"(?:Z|[+-](?:0\d|1[0-4])(?::[0-5]\d)?)"
_INSTANT = rf"^[12]\d{{3}}-{_SAFE_DAY}[T ]{_CLOCK}{_OFFSET}$"
_QUANTITY = r"^-?\d{1,5}(?:\.\d{1,4})?$"
_AMOUNT = r"^\d{1,8}(?:\.\d{1,4})?$"
_SHARE = r"^(?:0(?:\.\d{1,15})?|1(?:\.0{1,15})?)$"
_JSON_STRING = r'^[^"\\\x00-\x1f]*$'
_JSON_VALUE = r"^(?:true|false|-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?)$"


@dataclass(frozen=True)
class Certain:
    """How arrow reads the texts of a kind that are good beyond doubt."""

    holds: Callable[[Column], Mask] | None = None
    """Whether a text that is not null is certain; None: every text is."""
    type: pyarrow.DataType = _STRING
    """A certain text casts to it, to the value that Postgres would read."""


def _written(pattern: str, type_: pyarrow.DataType) -> Certain:
    return Certain(lambda column: pyarrow.compute.match_substring_regex(column, pattern), type_)


def among(values: Collection[str], type_: pyarrow.DataType = _STRING) -> Certain:
    allowed = pyarrow.array(sorted(values), _STRING)
    return Certain(lambda column: pyarrow.compute.is_in(column, value_set=allowed), type_)


def up_to_bytes(longest: int) -> Certain:
    return Certain(lambda column: pyarrow.compute.less_equal(pyarrow.compute.binary_length(column), longest))


TEXT = Certain()
NOTHING = Certain(lambda column: pyarrow.repeat(pyarrow.scalar(False), len(column)))
INSTANT = _written(_INSTANT, pyarrow.timestamp("us", "UTC"))
QUANTITY = _written(_QUANTITY, pyarrow.float64())
AMOUNT = _written(_AMOUNT, pyarrow.decimal128(14, 4))
SHARE = _written(_SHARE, pyarrow.float64())
FLAG = among(("true", "false"), pyarrow.bool_())


def is_present(column: Column) -> Mask:
    """Neither null nor, for certain, blank."""
    starts_with_space = pyarrow.compute.starts_with(column, " ")
    return pyarrow.compute.and_(
        pyarrow.compute.greater(pyarrow.compute.binary_length(column), 0), pyarrow.compute.invert(starts_with_space)
    )


def fits_json(column: Column, is_json: bool) -> Mask:
    """Whether a text that is not null can stand in JSON as it is: as a value, or between quotes as a string."""
    return pyarrow.compute.match_substring_regex(column, _JSON_VALUE if is_json else _JSON_STRING)

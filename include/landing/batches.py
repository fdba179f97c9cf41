"""What the readers of all formats hand over: batches of rows as text, and the rows that cannot be read at all."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy
import pyarrow
import pyarrow.compute

ROW_NUMBER = "row_number"
BATCH_ROWS = 65_536
BATCH_BYTES = 8 << 20
"""Whichever comes first; several batches are in memory at once."""
LONGEST_ROW_BYTES = 8 << 20
"""Of CSV and of JSON: what is held to find a row's end."""

OpenStream = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the file's bytes, decompressed, from the start; a reader may do so more than once."""

UNDECODABLE = "\ufdd0"
NUL = "\ufdd1"
"""Stand in for bytes that Postgres' text cannot hold. Both are Unicode noncharacters, which no real text contains."""

_DAMAGE = b"\0" + UNDECODABLE.encode()[:1]
"""Bytes of which a damaged text has at least one: both marks begin alike."""

MOST_COLUMNS = 1_500
"""Of a file; a Postgres table holds 1,600."""

_SNIFFED_BYTES = 1_024
_FEWEST_SNIFFED_BYTES = 8
_FOREIGN_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

MARK_ERRORS = "landing_mark_undecodable"
"""Name of the codec error handler that puts UNDECODABLE in place of what is not UTF-8."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return UNDECODABLE, error.end
    raise error


codecs.register_error(MARK_ERRORS, _mark)


class LandingFileError(ValueError):
    """A landing file that cannot be read as a whole; the message names the file and the remedy."""


@dataclass(frozen=True)
class UnreadableRow:
    """A row that never reached the checks; ``row`` is its text as far as it could be read."""

    row_number: int
    reason: str
    row: str


@dataclass(frozen=True)
class Batch:
    """Some rows of a file."""

    rows: pyarrow.Table
    """ROW_NUMBER (int64, 1 for the first data row), then the file's columns as text; a missing value is null."""
    unreadable: list[UnreadableRow] = field(default_factory=list)


@dataclass(frozen=True)
class Content:
    """A file, opened."""

    columns: tuple[str, ...]
    json_columns: frozenset[str]
    """Those whose text is JSON, to be stored as such where they have no column of their own."""
    batches: Generator[Batch]


def refuse_foreign_encoding(open_stream: OpenStream) -> None:
    """Raises LandingFileError for UTF-16 and UTF-32, with or without a byte order mark.

    Other encodings than UTF-8 cannot be told from damage; their rows that are not UTF-8 go to quarantine.
    """
    with open_stream() as stream:
        head = stream.read(_SNIFFED_BYTES)
    name = next((name for mark, name in _FOREIGN_MARKS if head.startswith(mark)), None)
    # Without a mark: every second byte of plain letters and digits is NUL.
    if (
        name is None
        and len(head) >= _FEWEST_SNIFFED_BYTES
        and max(head[::2].count(0), head[1::2].count(0)) > len(head) / 4
    ):
        name = "UTF-16"
    if name is not None:
        raise LandingFileError(f"is {name}: write it as UTF-8")


def check_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """``columns``; raises LandingFileError for names that no table can take in."""
    if len(columns) > MOST_COLUMNS:
        raise LandingFileError(f"has {len(columns):,} columns, more than {MOST_COLUMNS:,}: leave out those not needed")
    for position, name in enumerate(columns, start=1):
        if any(character in name for character in (UNDECODABLE, NUL, "\0")):
            raise LandingFileError(
                f"the name of column {position} holds bytes that are not UTF-8 or a NUL character: write it as UTF-8"
            )
        if name == ROW_NUMBER:
            raise LandingFileError(f"column {ROW_NUMBER} has a name that landing itself needs: give it another name")
    return columns


def separate_damaged(batch: Batch) -> Batch:
    """Move rows with an undecodable byte or a NUL character, which Postgres refuses, to the unreadable ones."""
    if not any(holds_byte(column, _DAMAGE) for column in batch.rows.columns[1:]):
        return batch
    damaged = None
    for name in batch.rows.column_names[1:]:
        for character in (UNDECODABLE, NUL, "\0"):
            hit = pyarrow.compute.fill_null(
                pyarrow.compute.match_substring(batch.rows.column(name), character), fill_value=False
            )
            damaged = hit if damaged is None else pyarrow.compute.or_(damaged, hit)
    if damaged is None:
        return batch
    unreadable = list(batch.unreadable)
    for row in batch.rows.filter(damaged).to_pylist():
        number = row.pop(ROW_NUMBER)
        given = {name: value for name, value in row.items() if value is not None}
        unreadable.append(unreadable_text(number, json.dumps(given, ensure_ascii=False)))
    return Batch(batch.rows.filter(pyarrow.compute.invert(damaged)), unreadable)


def holds_byte(column: pyarrow.ChunkedArray, wanted: bytes) -> bool:
    """Whether any text has one of ``wanted``: looked for in all bytes at once, many times faster than text by text."""
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        if data is None or not len(chunk):
            continue
        ends = numpy.frombuffer(offsets, numpy.int32)
        bytes_ = numpy.frombuffer(data, numpy.uint8)[ends[chunk.offset] : ends[chunk.offset + len(chunk)]]
        if any((bytes_ == byte).any() for byte in wanted):
            return True
    return False


def unreadable_text(row_number: int, text: str) -> UnreadableRow:
    """An UnreadableRow for a text with marks or NUL characters in it."""
    reason = "holds bytes that are not UTF-8" if UNDECODABLE in text else "holds a NUL character"
    return UnreadableRow(row_number, reason, storable(text))


def storable(text: str) -> str:
    """``text`` without what Postgres cannot store, each such character shown as U+FFFD."""
    for character in (UNDECODABLE, NUL, "\0"):
        text = text.replace(character, "\ufffd")
    return text.replace("\\u0000", "\ufffd")


def numbered(rows: pyarrow.Table, row_numbers: pyarrow.Array) -> pyarrow.Table:
    return rows.add_column(0, ROW_NUMBER, row_numbers)

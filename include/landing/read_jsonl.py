"""JSON Lines as batches of text; what has no column of its own stays JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO, NoReturn, cast

import pyarrow

from include.landing.batches import (
    BATCH_BYTES,
    BATCH_ROWS,
    LONGEST_ROW_BYTES,
    MARK_ERRORS,
    ROW_NUMBER,
    Batch,
    Content,
    LandingFileError,
    OpenStream,
    UnreadableRow,
    refuse_foreign_encoding,
    storable,
    unreadable_text,
)

_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 20


def read_jsonl(open_stream: OpenStream, known_columns: tuple[str, ...], object_column: str) -> Content:
    """The file with ``known_columns`` as text and all other keys as one JSON object in ``object_column``.

    An object under ``object_column`` itself is merged into it. Blank lines are not rows. Of a key that occurs
    twice in a line the last counts. Raises LandingFileError on UTF-16 and on a line longer than LONGEST_ROW_BYTES.
    """
    refuse_foreign_encoding(open_stream)
    columns = (*known_columns, object_column)
    return Content(columns, frozenset(), _batches(open_stream, known_columns, object_column))


def _batches(open_stream: OpenStream, known_columns: tuple[str, ...], object_column: str) -> Generator[Batch]:
    names = (*known_columns, object_column)
    rows: list[tuple[int | str | None, ...]] = []
    unreadable: list[UnreadableRow] = []
    size = 0
    with open_stream() as stream:
        for number, line in enumerate(_lines(stream), start=1):
            row = _read(number, line, known_columns, object_column)
            if isinstance(row, UnreadableRow):
                unreadable.append(row)
            else:
                rows.append((number, *row))
            size += len(line)
            if len(rows) + len(unreadable) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield _batch(rows, unreadable, names)
                rows, unreadable, size = [], [], 0
    yield _batch(rows, unreadable, names)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Those that are not blank, without their ends."""
    # Not every stream can read a line of limited length by itself.
    lines = io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER_BYTES)
    number = 0
    while line := lines.readline(LONGEST_ROW_BYTES + 1):
        number += 1
        if len(line) > LONGEST_ROW_BYTES:
            limit = f"{LONGEST_ROW_BYTES >> 20} MiB"
            raise LandingFileError(f"line {number} is longer than {limit}: write one object per line, not one array")
        content = line.removeprefix(_BOM) if number == 1 else line
        if content.strip():
            yield content.rstrip(b"\r\n")


def _read(
    number: int, line: bytes, known_columns: tuple[str, ...], object_column: str
) -> list[str | None] | UnreadableRow:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return unreadable_text(number, line.decode(errors=MARK_ERRORS))
    try:
        row = json.loads(text, parse_constant=_refuse_constant)
        if not isinstance(row, dict):
            return UnreadableRow(number, "is not a JSON object", storable(text))
        values = [_as_text(row.pop(name, None)) for name in known_columns]
        merged = row.pop(object_column, None)
        if isinstance(merged, dict):
            row = merged | row
        elif merged is not None:
            return UnreadableRow(number, f"{object_column} is not a JSON object", storable(text))
        values.append(json.dumps(row, allow_nan=False) if row else None)
    except (ValueError, RecursionError) as error:
        return UnreadableRow(number, f"is not JSON: {str(error)[:200]}", storable(text))
    if "\\u" in text:  # only an escape can bring half a surrogate pair, which is no UTF-8
        values = [value and value.encode(errors="surrogatepass").decode(errors=MARK_ERRORS) for value in values]
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _as_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    return json.dumps(value, allow_nan=False)  # 1e400 is read as an infinite number


def _batch(rows: list[tuple[int | str | None, ...]], unreadable: list[UnreadableRow], names: tuple[str, ...]) -> Batch:
    types = [pyarrow.int64(), *(pyarrow.string() for _ in names)]
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    arrays = [pyarrow.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
    return Batch(pyarrow.table(arrays, names=[ROW_NUMBER, *names]), unreadable)

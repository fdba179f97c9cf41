"""Parquet as batches of text, each typed value in the form the checks expect."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterator
from typing import Any

import numpy
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from pyarrow import types

from include.landing.batches import (
    BATCH_BYTES,
    BATCH_ROWS,
    MARK_ERRORS,
    ROW_NUMBER,
    Batch,
    Content,
    LandingFileError,
    OpenStream,
    UnreadableRow,
    check_names,
    numbered,
    storable,
)

_FEWEST_ROWS = 64
_DECODED_ROWS = 512
"""At once, at most: so many may have grown long before that is known."""
_BYTES_BESIDE_TEXT = 5
"""Of each value: its offset and whether it is null."""
_WRITTEN_OUT_BELOW = 1e10
"""From here on arrow writes floats with an exponent."""
_TEXT_TYPES = (
    types.is_binary,
    types.is_large_binary,
    types.is_binary_view,
    types.is_fixed_size_binary,
    types.is_string,
    types.is_large_string,
    types.is_string_view,
)
_YEARS_1_TO_9999 = (-62_135_596_800, 253_402_300_800)
"""The first second and the one after the last, since 1970."""
_TICKS_A_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}
_NO_NUMBERS = pyarrow.array(["nan", "inf", "-inf"])


def read_parquet(open_stream: OpenStream, text_columns: Collection[str] = ()) -> Content:
    """The file's columns and batches. In ``text_columns``, ids say, a float must be a number: "nan" would be an id.

    Instants with a zone become UTC, with all their digits, for Postgres to round as it rounds those of a CSV; naive
    ones stay without an offset, for the checks to refuse, as they do what lies beyond the years 1 to 9999.
    Floats are written as JSON writes them, 12.0 say. Lists, structs and maps become JSON. Raises LandingFileError on
    names that no table can take in, and arrow's errors on what is no Parquet.
    """
    with open_stream() as stream:
        schema = pyarrow.parquet.ParquetFile(stream).schema_arrow
    json_columns = frozenset(field.name for field in schema if _is_json(field.type))
    return Content(check_names(tuple(schema.names)), json_columns, _batches(open_stream, schema, text_columns))


def _batches(open_stream: OpenStream, schema: pyarrow.Schema, text_columns: Collection[str]) -> Generator[Batch]:
    numbers_as_texts = [field.name for field in schema if field.name in text_columns and _is_float(field.type)]
    start = 1
    with open_stream() as stream:
        for texts in _texts(pyarrow.parquet.ParquetFile(stream), schema):
            for rows in _pieces(texts):
                numbers = numpy.arange(start, start + rows.num_rows, dtype=numpy.int64)
                start += rows.num_rows
                yield _separate_no_numbers(numbered(rows, pyarrow.array(numbers)), numbers_as_texts)


def _texts(file: pyarrow.parquet.ParquetFile, schema: pyarrow.Schema) -> Iterator[pyarrow.Table]:
    """All rows as texts, about BATCH_BYTES or BATCH_ROWS at once.

    How many rows that is, the texts before tell: the file counts packed bytes, and each value of a dictionary once.
    """
    rows_at_once = _FEWEST_ROWS
    waiting: list[pyarrow.RecordBatch] = []
    rows = size = 0
    # So few rows are not worth handing to other threads.
    for batch in file.iter_batches(batch_size=rows_at_once, use_threads=False):
        if batch.schema.names != schema.names:
            raise LandingFileError("is damaged: its rows have other columns than its schema names")
        waiting.append(_without_dictionaries(batch))
        rows, size = rows + batch.num_rows, size + waiting[-1].nbytes
        if rows < rows_at_once and size < BATCH_BYTES:
            continue
        texts = _as_texts(pyarrow.concat_batches(waiting))
        waiting, rows, size = [], 0, 0
        yield texts
        bytes_per_row = max(1, texts.nbytes // max(1, texts.num_rows))
        rows_at_once = max(1, min(2 * rows_at_once, BATCH_ROWS, BATCH_BYTES // bytes_per_row))
        file.reader.set_batch_size(min(rows_at_once, _DECODED_ROWS))  # holds from the next batch on
    if waiting:
        yield _as_texts(pyarrow.concat_batches(waiting))


def _without_dictionaries(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    for position, field in enumerate(batch.schema):
        if types.is_dictionary(field.type):
            values = batch.column(position).cast(field.type.value_type)
            batch = batch.set_column(position, field.name, values)
    return batch


def _pieces(rows: pyarrow.Table) -> Iterator[pyarrow.Table]:
    """Of at most BATCH_BYTES of text, or a single row."""
    if rows.nbytes <= BATCH_BYTES:
        yield rows
        return
    ends = numpy.cumsum(_bytes_of_rows(rows))
    start = 0
    while start < rows.num_rows:
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(numpy.searchsorted(ends, before + BATCH_BYTES, side="right")))
        yield rows.slice(start, end - start)
        start = end


def _bytes_of_rows(rows: pyarrow.Table) -> numpy.ndarray:
    """(rows,) int64, of texts and what arrow keeps beside them."""
    sizes = numpy.full(rows.num_rows, _BYTES_BESIDE_TEXT * rows.num_columns, numpy.int64)
    for column in rows.columns:
        sizes += pyarrow.compute.fill_null(pyarrow.compute.binary_length(column), 0).to_numpy()
    return sizes


def _separate_no_numbers(rows: pyarrow.Table, names: list[str]) -> Batch:
    unreadable: list[UnreadableRow] = []
    for name in names:
        is_none = pyarrow.compute.is_in(rows.column(name), value_set=_NO_NUMBERS)
        for row in rows.filter(is_none).to_pylist():
            number, value = row.pop(ROW_NUMBER), row[name]
            given = json.dumps({key: value for key, value in row.items() if value is not None}, ensure_ascii=False)
            unreadable.append(UnreadableRow(number, f"{name} is {value}: write a missing one as null", storable(given)))
        rows = rows.filter(pyarrow.compute.invert(is_none))
    return Batch(rows, unreadable)


def _as_texts(batch: pyarrow.RecordBatch) -> pyarrow.Table:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(_as_text(column))
        except (TypeError, ValueError, OverflowError) as error:
            # Arrow's own errors are ValueErrors, too; these and Python's may quote values.
            what = f"column {name} holds {column.type} values that cannot be read as text or JSON"
            raise LandingFileError(f"{what}: write them as strings") from error
    return pyarrow.table(columns, names=batch.schema.names)


def _is_nested(type_: pyarrow.DataType) -> bool:
    return bool(types.is_nested(type_))


def _is_float(type_: pyarrow.DataType) -> bool:
    return bool(types.is_floating(type_.value_type if types.is_dictionary(type_) else type_))


def _is_json(type_: pyarrow.DataType) -> bool:
    return bool(_is_nested(type_) or types.is_boolean(type_) or types.is_integer(type_) or types.is_floating(type_))


def _as_text(column: pyarrow.Array) -> pyarrow.Array:
    type_ = column.type
    if isinstance(type_, pyarrow.UuidType):
        return pyarrow.array([None if value is None else str(value) for value in column.to_pylist()], "string")
    if _is_nested(type_):
        return pyarrow.array([None if value is None else _json(value, type_) for value in column.to_pylist()], "string")
    if types.is_timestamp(type_) and type_.tz is not None:
        return _instants(column.cast(pyarrow.timestamp(type_.unit, "UTC")))
    if types.is_floating(type_):
        return _floats(column)
    if any(is_text(type_) for is_text in _TEXT_TYPES):
        return _without_empty(_valid_utf8(column))
    return column.cast(pyarrow.string())


def _instants(column: pyarrow.Array) -> pyarrow.Array:
    """In the form that is read fastest, which has microseconds, where that says the same."""
    unit = column.type.unit
    if unit != "ns":
        return _coarse_instants(column)
    microseconds = column.cast(pyarrow.timestamp("us", "UTC"), safe=False)
    text = microseconds.cast(pyarrow.string())
    is_same = pyarrow.compute.equal(microseconds.cast(column.type, safe=False), column)
    if pyarrow.compute.all(is_same).as_py():
        return text
    return pyarrow.compute.if_else(is_same, text, column.cast(pyarrow.string()))


def _coarse_instants(column: pyarrow.Array) -> pyarrow.Array:
    """Of microseconds or longer units: beyond the years 1 to 9999 as ticks, of which arrow would write another year."""
    unit = column.type.unit
    ticks = column.cast(pyarrow.int64())
    first, end = (second * _TICKS_A_SECOND[unit] for second in _YEARS_1_TO_9999)
    is_in_range = pyarrow.compute.and_(pyarrow.compute.greater_equal(ticks, first), pyarrow.compute.less(ticks, end))
    if pyarrow.compute.all(is_in_range).as_py():
        return column.cast(pyarrow.timestamp("us", "UTC")).cast(pyarrow.string())
    in_range = pyarrow.compute.if_else(is_in_range, column, pyarrow.scalar(None, column.type))
    text = in_range.cast(pyarrow.timestamp("us", "UTC")).cast(pyarrow.string())
    beyond = pyarrow.compute.binary_join_element_wise(ticks.cast(pyarrow.string()), f"{unit} since 1970", " ")
    return pyarrow.compute.if_else(is_in_range, text, beyond)


def _floats(column: pyarrow.Array) -> pyarrow.Array:
    """Arrow writes 12.0 as 12 and 12345678901.0 as 1.2345678901e+10: as ids they would be others than in JSON."""
    text = column.cast(pyarrow.string())
    column = pyarrow.compute.fill_null(column.cast(pyarrow.float64()), 0.5)
    size = pyarrow.compute.abs(column)
    is_large = pyarrow.compute.greater_equal(size, _WRITTEN_OUT_BELOW)
    is_small = pyarrow.compute.and_(pyarrow.compute.less(size, 1e-4), pyarrow.compute.greater(size, 0))
    is_far_from_one = pyarrow.compute.or_(is_large, is_small)
    if pyarrow.compute.any(is_far_from_one).as_py():
        written = [repr(value) for value in column.filter(is_far_from_one).to_pylist()]
        text = pyarrow.compute.replace_with_mask(text, is_far_from_one, pyarrow.array(written, pyarrow.string()))
    is_whole = pyarrow.compute.and_not(pyarrow.compute.equal(pyarrow.compute.floor(column), column), is_large)
    if pyarrow.compute.any(is_whole).as_py():
        text = pyarrow.compute.if_else(is_whole, pyarrow.compute.binary_join_element_wise(text, ".0", ""), text)
    return text


def _json(value: Any, type_: pyarrow.DataType) -> str:
    return json.dumps(dict(value) if types.is_map(type_) else value, default=str)


def _valid_utf8(column: pyarrow.Array) -> pyarrow.Array:
    as_bytes = column.cast(pyarrow.binary())
    try:
        return as_bytes.cast(pyarrow.string())
    except pyarrow.ArrowInvalid:
        decoded = [None if value is None else value.decode(errors=MARK_ERRORS) for value in as_bytes.to_pylist()]
        return pyarrow.array(decoded, pyarrow.string())


def _without_empty(column: pyarrow.Array) -> pyarrow.Array:
    empty = pyarrow.compute.equal(column, "")
    if not pyarrow.compute.any(empty).as_py():
        return column
    return pyarrow.compute.if_else(empty, pyarrow.scalar(None, pyarrow.string()), column)

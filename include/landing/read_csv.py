"""CSV (RFC 4180, UTF-8 with or without BOM, any line ending) as batches of text."""

from __future__ import annotations

import codecs
import io
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy
import pyarrow
import pyarrow.compute
import pyarrow.csv

from include.landing.batches import (
    LONGEST_ROW_BYTES,
    MARK_ERRORS,
    NUL,
    ROW_NUMBER,
    UNDECODABLE,
    Batch,
    Content,
    LandingFileError,
    OpenStream,
    UnreadableRow,
    check_names,
    holds_byte,
    numbered,
    refuse_foreign_encoding,
    storable,
    unreadable_text,
)

_CHUNK_BYTES = 1 << 20
_LETTING_GO_SECONDS = 0.1
ROWS_AT_ONCE = 16_384
"""Of a batch: its columns stay in the processor's cache."""
RAGGED_ROWS_THAT_REFUSE = 100_000
"""Of a file that has not a single other row."""
_QUARANTINED_CHARACTERS = 1 << 20
"""Of a row that took in the rows after it."""
_LINE_ENDS = "\r\n"
_QUOTED_TO_ITS_END = re.compile(r'[^"]*(""[^"]*)*"(,|$)')
"""What follows a quote that opens a value, up to the one that closes it."""


class _ValidUtf8(io.RawIOBase):
    """The stream with every undecodable byte and every NUL replaced by its mark, so that arrow can parse any file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors=MARK_ERRORS)
        self._ready = memoryview(b"")
        self._ended = False
        self._reading = threading.Lock()

    def readable(self) -> bool:
        return True

    def end(self) -> None:
        """Wait for a read that is under way; there is nothing more to read afterwards."""
        with self._reading:
            self._ended, self._ready = True, memoryview(b"")

    def readinto(self, buffer: Any) -> int:
        with self._reading:
            return self._fill(buffer)

    def _fill(self, buffer: Any) -> int:
        # Filled, since arrow takes what it gets for a whole block, and a row must fit into one.
        filled = 0
        while filled < len(buffer) and (self._ready or not self._ended):
            if not self._ready:
                self._read_chunk()
            count = min(len(buffer) - filled, len(self._ready))
            buffer[filled : filled + count] = self._ready[:count]
            self._ready = self._ready[count:]
            filled += count
        return filled

    def _read_chunk(self) -> None:
        chunk = self._stream.read(_CHUNK_BYTES)
        self._ended = not chunk
        is_whole = not self._decoder.getstate()[0]  # no character is cut by the chunk's start
        if is_whole and chunk.isascii() and b"\0" not in chunk:
            self._ready = memoryview(chunk)
        else:
            text = self._decoder.decode(chunk, final=self._ended).replace("\0", NUL)
            self._ready = memoryview(text.encode())


class _RaggedRows:
    """Rows with another number of fields than the header, collected while arrow parses."""

    def __init__(self) -> None:
        self.last: UnreadableRow | None = None
        self.count = 0
        self.hopeless: str | None = None
        """What is wrong with every row of the file so far, when there are too many to go on."""
        self._new: list[UnreadableRow] = []
        self._next = 1
        self._skipped: deque[int] = deque()
        """Numbers from ``_next`` on; arrow parses ahead of what it yields."""

    def __call__(self, row: pyarrow.csv.InvalidRow) -> str:
        number = row.number - 1  # arrow counts the header as row 1
        if UNDECODABLE in row.text or NUL in row.text:
            self.last = unreadable_text(number, row.text)
        elif lines := _lines_run_together(row.text, row.expected_columns):
            self.last = _run_on(number, lines, row.text)
        else:
            reason = f"has {row.actual_columns} fields where the header has {row.expected_columns}"
            self.last = UnreadableRow(number, reason, storable(row.text))
        self.count += 1
        self._skipped.append(number)
        self._new.append(self.last)
        if self.count == number >= RAGGED_ROWS_THAT_REFUSE:
            self.hopeless = f"row {number} {self.last.reason}, and so it is with each of the rows before it"
            return "error"
        return "skip"

    def take_new(self) -> list[UnreadableRow]:
        new, self._new = self._new, []
        return new

    def number_next(self, count: int) -> numpy.ndarray:
        """The numbers, ascending, of the next ``count`` rows that arrow did not skip."""
        first, end, skipped = self._next, self._next + count, []
        # Those right behind are done with, too: where no good row comes for long, they must not pile up.
        while self._skipped and self._skipped[0] <= end:
            skipped.append(self._skipped.popleft())
            end += 1
        self._next = end
        numbers = numpy.arange(first, end, dtype=numpy.int64)
        return numpy.delete(numbers, numpy.array(skipped) - first) if skipped else numbers


def read_csv(open_stream: OpenStream) -> Content:
    """The file's columns and batches; ``open_stream()`` opens its (decompressed) bytes anew.

    An empty file has no columns and no batches. Raises LandingFileError on a quote that never closes, a row longer than
    a block, UTF-16 and names that no table can take in, and arrow's ArrowInvalid on what is no CSV.
    """
    refuse_foreign_encoding(open_stream)
    with open_stream() as stream, _clear_about_long_rows(), _reader(stream, names=None, ragged=_skipped) as header:
        is_empty = header is None
        names = [] if is_empty else header.schema.names
    if is_empty:
        _refuse_open_header(open_stream)
    columns = check_names(tuple(name.strip() for name in names))
    return Content(columns, frozenset(), _batches(open_stream, names))


def _refuse_open_header(open_stream: OpenStream) -> None:
    """To arrow a file whose header never ends is an empty one."""
    with open_stream() as stream:
        if stream.read(_CHUNK_BYTES).count(b'"') % 2:
            raise LandingFileError("the quote opened in the header never closes, so no row can be read")


@contextmanager
def _clear_about_long_rows() -> Iterator[None]:
    try:
        yield
    except pyarrow.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise
        limit = f"{LONGEST_ROW_BYTES >> 20} MiB"
        raise LandingFileError(
            f"has a row longer than {limit}: close its quote, if one never closes, or shorten the row"
        ) from error


def _skipped(_: pyarrow.csv.InvalidRow) -> str:
    return "skip"


@contextmanager
def _reader(
    stream: BinaryIO, names: list[str] | None, ragged: Callable[[pyarrow.csv.InvalidRow], str]
) -> Iterator[Any]:
    """Arrow's reader, None for an empty file. No thread of arrow's reads ``stream`` any more when this ends."""
    source = _ValidUtf8(stream)
    reader = None
    try:
        reader = _open(source, names, ragged)
        yield reader
    except BaseException:
        # The process may be about to end, and arrow's thread has nothing to wait for while it lets go of the stream.
        _finish(source, reader)
        time.sleep(_LETTING_GO_SECONDS)
        raise
    _finish(source, reader)


def _finish(source: _ValidUtf8, reader: Any) -> None:
    """Arrow reads ahead in a thread of its own; one that is left with a read makes the process abort as it ends."""
    source.end()
    with suppress(Exception):
        for _ in reader or ():
            pass


def _open(source: _ValidUtf8, names: list[str] | None, ragged: Callable[[pyarrow.csv.InvalidRow], str]) -> Any:
    try:
        return pyarrow.csv.open_csv(
            pyarrow.PythonFile(source, mode="r"),
            # One thread: only then does arrow number the rows it skips.
            pyarrow.csv.ReadOptions(use_threads=False, block_size=LONGEST_ROW_BYTES),
            pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=ragged),
            pyarrow.csv.ConvertOptions(
                column_types={name: pyarrow.string() for name in names or ()},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pyarrow.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return None
        raise


def _batches(open_stream: OpenStream, names: list[str]) -> Generator[Batch]:
    if not names:
        return
    ragged = _RaggedRows()
    last_number = 0
    last_value: str | None = None
    columns = [name.strip() for name in names]
    with (
        open_stream() as stream,
        _clear_about_long_rows(),
        _clear_about_ragged_files(ragged),
        _reader(stream, names, ragged) as blocks,
    ):
        for block in blocks:
            for record_batch in _pieces(block):
                rows = pyarrow.Table.from_batches([record_batch]).rename_columns(columns)
                numbers = ragged.number_next(rows.num_rows)
                if rows.num_rows:
                    last_number = int(numbers[-1])
                    last_value = rows.column(rows.num_columns - 1)[-1].as_py()
                yield _separate_run_on(Batch(numbered(rows, pyarrow.array(numbers)), ragged.take_new()))
    rest = ragged.take_new()
    if rest:
        yield Batch(pyarrow.table({ROW_NUMBER: pyarrow.array([], pyarrow.int64())}), rest)
    _refuse_open_quote(open_stream, last_number, last_value, ragged.last)


def _pieces(block: pyarrow.RecordBatch) -> Iterator[pyarrow.RecordBatch]:
    """Also of a block without rows, since arrow may have skipped some on the way to it."""
    for start in range(0, max(block.num_rows, 1), ROWS_AT_ONCE):
        yield block.slice(start, ROWS_AT_ONCE)


@contextmanager
def _clear_about_ragged_files(ragged: _RaggedRows) -> Iterator[None]:
    try:
        yield
    except pyarrow.ArrowInvalid:
        if ragged.hopeless is None:
            raise
        # Arrow's own message quotes the row.
        raise LandingFileError(f"{ragged.hopeless}: write as many fields as the header names") from None


def _separate_run_on(batch: Batch) -> Batch:
    """Move rows that took in the rows after them to the unreadable ones.

    A quote that is not closed ends where a later row opens one, and arrow takes all between for one value.
    """
    names = batch.rows.column_names[1:]
    if len(names) == 1:
        return batch  # without a comma, a line of a text and a row look alike
    is_run_on = numpy.zeros(batch.rows.num_rows, bool)
    unreadable = list(batch.unreadable)
    for place in _places_of_joined_lines(batch.rows):
        number, *values = (column[place].as_py() for column in batch.rows.columns)
        spans = max(_lines_taken_in(values, position) for position in range(len(values)))
        if spans:
            given = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            unreadable.append(_run_on(number, spans, json.dumps(given, ensure_ascii=False)))
            is_run_on[place] = True
    return Batch(batch.rows.filter(pyarrow.array(~is_run_on)), unreadable) if is_run_on.any() else batch


def _places_of_joined_lines(rows: pyarrow.Table) -> list[int]:
    """Rows, counted from 0, with a text of several lines that has at least as many commas as a row."""
    commas = rows.num_columns - 2
    is_joined = numpy.zeros(rows.num_rows, bool)
    for column in rows.columns[1:]:
        if holds_byte(column, _LINE_ENDS.encode()):
            is_long = pyarrow.compute.greater_equal(pyarrow.compute.count_substring(column, ","), commas)
            has_lines = pyarrow.compute.match_substring_regex(column, f"[{_LINE_ENDS}]")
            is_joined |= pyarrow.compute.and_(is_long, has_lines).fill_null(False).to_numpy()
    return [int(place) for place in numpy.flatnonzero(is_joined)]


def _lines_taken_in(values: list[str | None], position: int) -> int:
    """How many lines the value at ``position`` spans, if it is the rest of a row, whole rows and the start of another.

    0 if it is none, but a text of several lines. Where only two rows ran together, the second's own closing quote,
    which is left in its text, tells them from such a text.
    """
    lines = _written_lines(values[position] or "")
    commas = len(values) - 1
    if len(lines) < 2 or lines[0].count(",") < commas - position or lines[-1].count(",") < position:
        return 0
    if len(lines) == 2:
        behind = ",".join([lines[-1], *(value or "" for value in values[position + 1 :])])
        is_run_on = _QUOTED_TO_ITS_END.match(behind) is not None
    else:
        is_run_on = _most([line.count(",") == commas for line in lines[1:-1]])
    return len(lines) if is_run_on else 0


def _lines_run_together(text: str, fields: int) -> int:
    """How many lines a row's own text spans, if most could be rows of so many fields; else 0."""
    lines = _written_lines(text)
    is_run_on = len(lines) > 1 and _most([line.count(",") >= fields - 1 for line in lines])
    return len(lines) if is_run_on else 0


def _written_lines(text: str) -> list[str]:
    """Those of a text that are not blank."""
    return [line for line in re.split(f"[{_LINE_ENDS}]+", text) if line.strip()]


def _most(facts: list[bool]) -> bool:
    return 2 * sum(facts) > len(facts)


def _run_on(number: int, lines: int, text: str) -> UnreadableRow:
    reason = f"spans {lines:,} lines, which look like rows of their own: close its quote"
    return UnreadableRow(number, reason, storable(text[:_QUARANTINED_CHARACTERS]))


def _refuse_open_quote(
    open_stream: OpenStream, last_number: int, last_value: str | None, ragged: UnreadableRow | None
) -> None:
    """A quote that never closes swallows every later row into one value; arrow takes that silently."""
    number, text = last_number, last_value or ""
    if ragged is not None and ragged.row_number > number:
        number, text = ragged.row_number, ragged.row
    if "\n" not in text and "\r" not in text:
        return
    ending = b""
    with open_stream() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            ending = (ending + chunk)[-4:]
    if not ending.rstrip(b"\r\n").endswith(b'"'):
        raise LandingFileError(
            f"the quote opened in row {number} never closes: close it, the rows after it cannot be read"
        )

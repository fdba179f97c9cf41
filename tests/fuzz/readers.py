"""One input through one reader, and what must hold of it."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any, cast

import pyarrow
import pyarrow.parquet
from isal import igzip

from include.landing.batches import ROW_NUMBER, Content, LandingFileError, OpenStream, separate_damaged
from include.landing.load import UNREADABLE_FILE
from include.landing.read_csv import read_csv
from include.landing.read_jsonl import read_jsonl
from include.landing.read_parquet import read_parquet
from include.landing.rules import RULES
from include.landing.staging import check_columns, place_columns
from include.landing.typed import Splitter


def _plain(data: bytes) -> OpenStream:
    return lambda: io.BytesIO(data)


def _unzipped(data: bytes) -> OpenStream:
    return lambda: cast(Any, igzip.GzipFile(fileobj=io.BytesIO(data)))


def _jsonl(open_stream: OpenStream) -> Content:
    names = tuple(name for name in RULES["events"].column_names if name != "properties")
    return read_jsonl(open_stream, names, "properties")


READERS: dict[str, Callable[[bytes], Content]] = {
    "csv": lambda data: read_csv(_plain(data)),
    "csv_gz": lambda data: read_csv(_unzipped(data)),
    "jsonl": lambda data: _jsonl(_plain(data)),
    "jsonl_gz": lambda data: _jsonl(_unzipped(data)),
    "parquet": lambda data: read_parquet(_plain(data)),
}


def check(reader: str, data: bytes) -> None:
    """Read ``data`` to its end; raises AssertionError on a row that is lost or there twice, and what a reader raises
    but should not."""
    numbers: list[int] = []
    try:
        content = READERS[reader](data)
        if len(set(content.columns)) < len(content.columns):  # refused before any row is read
            return
        splitter = _splitter(content)
        for batch in content.batches:
            stored = separate_damaged(batch)
            numbers += stored.rows.column(ROW_NUMBER).to_pylist()
            numbers += [row.row_number for row in stored.unreadable]
            if splitter is None:
                continue
            split = splitter.split(stored)
            assert split.certain_rows + split.rest.rows.num_rows == stored.rows.num_rows, "a row went neither way"
    except (LandingFileError, *UNREADABLE_FILE):
        return
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), f"rows are numbered {sorted(numbers)[:50]}"


def _splitter(content: Content) -> Splitter | None:
    """None for a file that is refused for its columns."""
    try:
        check_columns(content, RULES["events"])
    except LandingFileError:
        return None
    return Splitter(RULES["events"], place_columns(content, RULES["events"]), 1)


def _parquet_seed() -> bytes:
    sink = io.BytesIO()
    table = pyarrow.table(
        {
            "event_id": ["e1", None],
            "event_type": ["view", "purchase"],
            "customer_id": ["c1", "c2"],
            "occurred_at": pyarrow.array([0, 1], pyarrow.timestamp("us", "UTC")),
            "tags": [["a"], []],
            "price": pyarrow.array([1.5, None]),
            "kind": pyarrow.array(["view", "view"]).dictionary_encode(),
        }
    )
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


_CSV_SEEDS = (
    b"event_id,event_type,customer_id,occurred_at,quantity,unit_price,shop\n"
    b"e1,purchase,c1,2017-11-30T00:00:00.5+05:30,1,9.99,north\ne2,view,c1,2017-11-30 00:00:00Z,,,\n",
    b'event_id,occurred_at,quantity\ne1,2017-11-30T00:00:00Z,1\n"e""2",,"a\nb"\n',
    b"\xef\xbb\xbfa,b\r\n1\r\n1,2,3\r\n\r\n\xff,\0\r\n",
    b'a\rb\r"c',
)
_JSONL_SEEDS = (
    b'{"event_id": "e1", "quantity": 1.5, "properties": {"a": [1, null]}, "x": true}\n',
    b'\xef\xbb\xbf{"event_id": NaN}\r\n\r\n[]\n{"a": "\\ud800\\u0000", "a": 1e999}',
)
SEEDS: dict[str, tuple[bytes, ...]] = {
    "csv": _CSV_SEEDS,
    "csv_gz": tuple(gzip.compress(seed, mtime=0) for seed in _CSV_SEEDS),
    "jsonl": _JSONL_SEEDS,
    "jsonl_gz": tuple(gzip.compress(seed, mtime=0) for seed in _JSONL_SEEDS),
    "parquet": (_parquet_seed(),),
}

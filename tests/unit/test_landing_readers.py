"""Readers: whatever the bytes, every row of a file comes out exactly once, under its own number."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, cast
from uuid import UUID

import pyarrow
import pyarrow.compute
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.landing.batches import (
    BATCH_BYTES,
    NUL,
    ROW_NUMBER,
    UNDECODABLE,
    LandingFileError,
    UnreadableRow,
    separate_damaged,
)
from include.landing.read_csv import read_csv
from include.landing.read_jsonl import read_jsonl
from include.landing.read_parquet import read_parquet

Opener = Callable[[], AbstractContextManager[BinaryIO]]


def opener(data: bytes) -> Opener:
    return lambda: io.BytesIO(data)


def collect(content: Any) -> tuple[list[dict[str, Any]], list[UnreadableRow]]:
    rows, unreadable = [], []
    for batch in content.batches:
        separated = separate_damaged(batch)
        rows += separated.rows.to_pylist()
        unreadable += separated.unreadable
    return rows, unreadable


def csv_rows(data: bytes) -> tuple[list[dict[str, Any]], list[UnreadableRow]]:
    return collect(read_csv(opener(data)))


def test_csv_with_bom_crlf_blank_lines_and_newlines_in_quotes() -> None:
    content = read_csv(opener(b'\xef\xbb\xbfa, b\r\n1,2\r\n\r\n3,"x\r\ny, ""z"""\r\n4,\r\n'))
    assert content.columns == ("a", "b")
    rows, unreadable = collect(content)
    assert rows == [
        {ROW_NUMBER: 1, "a": "1", "b": "2"},
        {ROW_NUMBER: 2, "a": "3", "b": 'x\r\ny, "z"'},
        {ROW_NUMBER: 3, "a": "4", "b": None},
    ]
    assert unreadable == []


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_csv_without_a_header_has_no_columns(data: bytes) -> None:
    assert read_csv(opener(data)).columns == ()


def test_ragged_csv_rows_keep_their_numbers_and_those_of_their_neighbours() -> None:
    rows, unreadable = csv_rows(b"a,b\n1\n2,2\n3,3,3\n4,4\n5\n")
    assert [row[ROW_NUMBER] for row in rows] == [2, 4]
    assert [(row.row_number, row.reason, row.row) for row in unreadable] == [
        (1, "has 1 fields where the header has 2", "1"),
        (3, "has 3 fields where the header has 2", "3,3,3"),
        (5, "has 1 fields where the header has 2", "5"),
    ]


def test_ragged_rows_do_not_pile_up_where_no_other_row_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.landing.read_csv.LONGEST_ROW_BYTES", 4_096)
    data = b"a,b\n1,1\n" + b"3\n" * 200_000 + b"2,2\n3\n4,4\n"
    good, unreadable, objects = [], 0, []
    for batch in read_csv(opener(data)).batches:
        good += batch.rows.column(ROW_NUMBER).to_pylist()
        unreadable += len(batch.unreadable)
        objects.append(sys.getallocatedblocks())
    assert (good, unreadable) == ([1, 200_002, 200_004], 200_001)
    assert max(objects) - objects[0] < 100_000


def test_csv_rows_that_text_cannot_hold_are_set_apart() -> None:
    rows, unreadable = csv_rows(b"a,b\n1,\xff\n2,x\x00y\n3,\xfe,3\n4,\xc3\xa9\n")
    assert rows == [{ROW_NUMBER: 4, "a": "4", "b": "é"}]
    assert sorted((row.row_number, row.reason) for row in unreadable) == [
        (1, "holds bytes that are not UTF-8"),
        (2, "holds a NUL character"),
        (3, "holds bytes that are not UTF-8"),
    ]
    assert not any(mark in row.row for row in unreadable for mark in (UNDECODABLE, NUL, "\0"))


@pytest.mark.parametrize("data", [b'a,b\n1,2\n3,"4\n5,6\n', b'a,b\n1,2\n"3,4\n5,6\n7,8\n'])
def test_a_quote_that_never_closes_is_an_error_not_a_loss(data: bytes) -> None:
    with pytest.raises(LandingFileError, match="the quote opened in row 2 never closes"):
        csv_rows(data)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("taken_in", [0, 1, 2, 50])
def test_no_row_disappears_in_a_quote_that_a_later_row_closes(position: int, taken_in: int, end: str) -> None:
    def with_quoted(number: int, text: str) -> str:
        return ",".join(text if place == position else f"r{number}" for place in range(4))

    table = [
        "a,b,c,d",
        with_quoted(1, "x"),
        with_quoted(2, '"oat milk'),
        *(with_quoted(3 + n, "y") for n in range(taken_in)),
        with_quoted(90, '"rye ""bread"""'),
        with_quoted(91, "z"),
    ]
    rows, unreadable = csv_rows(end.join(table).encode())
    assert [row[ROW_NUMBER] for row in rows] == [1, 3]
    assert [(row.row_number, row.reason.split(",")[0]) for row in unreadable] == [(2, f"spans {2 + taken_in} lines")]
    assert "oat milk" in unreadable[0].row
    assert "rye" in unreadable[0].row


def test_no_row_disappears_in_a_quote_that_a_text_of_lines_closes() -> None:
    rows, unreadable = csv_rows(b'a,b,c\n1,x,y\n2,x,"oat\n3,x,y\n4,x,"rye\nbread"\n')
    assert [row[ROW_NUMBER] for row in rows] == [1]
    assert [
        (row.row_number, row.reason.split(",")[0]) for row in sorted(unreadable, key=lambda row: row.row_number)
    ] == [
        (2, "spans 3 lines"),
        (3, "has 1 fields where the header has 3"),
    ]


def test_of_a_row_that_took_in_others_the_first_mebibyte_is_kept() -> None:
    taken_in = "".join(f"{n},{'x' * 100}\n" for n in range(20_000))
    rows, (row,) = csv_rows(f'a,b\n1,"{taken_in}9,"y"\n'.encode())
    assert rows == []
    assert row.reason.startswith("spans 20,001 lines")
    assert len(row.row) == 1 << 20


def test_texts_of_lines_are_no_rows_that_ran_together() -> None:
    texts = ["1 High St, Ely\nKent", "a, b\r\nc, d", "x\ny, z\n", '5"\n6"', "oak, ash\nfir\nelm, yew", "\n,\n"]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *([text_, text_] for text_ in texts)])
    rows, unreadable = csv_rows(text.getvalue().encode())
    assert unreadable == []
    assert [row["a"] for row in rows] == [row["b"] for row in rows] == texts
    only = "one\n" + '"p,q\nr,s\nt,u"\n' * 2
    assert [len(part) for part in csv_rows(only.encode())] == [2, 0]


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_every_csv_row_comes_out_once(table: list[list[str]], line_end: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows(table)
    rows, unreadable = csv_rows(text.getvalue().encode())
    numbers = sorted([row[ROW_NUMBER] for row in rows] + [row.row_number for row in unreadable])
    assert numbers == list(range(1, len(table) + 1))
    for row in rows:
        assert [row[name] or "" for name in "abc"] == table[row[ROW_NUMBER] - 1]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_readable_error(tail: bytes) -> None:
    try:
        rows, unreadable = csv_rows(b"a,b\n1,2\n" + tail)
    except (LandingFileError, pyarrow.ArrowInvalid):
        return
    numbers = sorted([row[ROW_NUMBER] for row in rows] + [row.row_number for row in unreadable])
    assert numbers == list(range(1, len(numbers) + 1))


def test_jsonl_keeps_types_where_there_is_no_column() -> None:
    lines = [
        {"event_id": "e1", "quantity": 2, "generated": True, "shelf": {"row": [1, None]}, "item_id": ""},
        {"event_id": 7, "properties": {"generated": True}, "page": 1.5},
    ]
    data = b"\xef\xbb\xbf" + b"\r\n\r\n".join(json.dumps(line).encode() for line in lines)
    rows, unreadable = collect(read_jsonl(opener(data), ("event_id", "quantity", "item_id"), "properties"))
    assert unreadable == []
    assert [(row["event_id"], row["quantity"], row["item_id"]) for row in rows] == [
        ("e1", "2", None),
        ("7", None, None),
    ]
    assert [json.loads(row["properties"]) for row in rows] == [
        {"generated": True, "shelf": {"row": [1, None]}},
        {"generated": True, "page": 1.5},
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "is not JSON"),
        (b"[1]", "is not a JSON object"),
        (b'{"a": NaN}', "NaN is no JSON value"),
        (b'{"x": 1e999}', "is not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\\ud800"}', "not UTF-8"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"properties": 3}', "properties is not a JSON object"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_jsonl_lines_that_cannot_be_read(line: bytes, reason: str) -> None:
    data = b'{"a": "1"}\n' + line + b'\n{"a": "3"}\n'
    rows, unreadable = collect(read_jsonl(opener(data), ("a",), "properties"))
    assert [row[ROW_NUMBER] for row in rows] == [1, 3]
    assert [row.row_number for row in unreadable] == [2]
    assert reason in unreadable[0].reason


class OneLine(io.RawIOBase):
    """64 MiB without a line end, as a stream that counts what is read of it."""

    def __init__(self) -> None:
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), (64 << 20) - self.given)
        buffer[:count] = b"[" * count
        self.given += count
        return count


def test_of_a_json_line_that_is_too_long_no_more_than_a_row_is_read() -> None:
    stream = OneLine()
    with pytest.raises(LandingFileError, match="line 1 is longer than 8 MiB"):
        collect(read_jsonl(lambda: nullcontext(cast(BinaryIO, stream)), ("a",), "properties"))
    assert stream.given < 10 << 20


def test_parquet_values_become_the_text_the_checks_expect() -> None:
    table = pyarrow.table(
        {
            "id": pyarrow.array(["x"]).dictionary_encode(),
            "aware": pyarrow.array(
                [datetime(2017, 11, 30, 23, 5, tzinfo=UTC)], pyarrow.timestamp("ns", "America/New_York")
            ),
            "naive": pyarrow.array([date(2017, 11, 30)], pyarrow.date32()).cast(pyarrow.timestamp("ms")),
            "day": [date(2017, 11, 30)],
            "number": [123.0],
            "large": [12345678901.0],
            "beyond": pyarrow.array([2**62], pyarrow.timestamp("ms", "UTC")),
            "fine": pyarrow.array([1512083100123456499], pyarrow.timestamp("ns", "UTC")),
            "flag": [True],
            "words": [["a", "b"]],
            "empty": [""],
            "bytes": pyarrow.array([b"\xff"], pyarrow.binary()),
        }
    )
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    content = read_parquet(opener(sink.getvalue()))
    assert content.json_columns == {"number", "large", "flag", "words"}
    (batch,) = content.batches
    assert batch.rows.to_pylist() == [
        {
            ROW_NUMBER: 1,
            "id": "x",
            "aware": "2017-11-30 23:05:00.000000Z",
            "naive": "2017-11-30 00:00:00.000",
            "day": "2017-11-30",
            "number": "123.0",
            "large": "12345678901.0",
            "beyond": "4611686018427387904 ms since 1970",
            "fine": "2017-11-30 23:05:00.123456499Z",
            "flag": "true",
            "words": '["a", "b"]',
            "empty": None,
            "bytes": UNDECODABLE,
        }
    ]
    assert separate_damaged(batch).rows.num_rows == 0


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1), ("ms", 1_000), ("us", 1_000_000)])
def test_parquet_instants_of_the_years_1_to_9999_are_written_and_others_are_ticks(unit: str, ticks: int) -> None:
    first, last = -62_135_596_800, 253_402_300_799
    seconds = [first, last, first - 1, last + 1, 2_069_640_201_600, -2_069_640_201_600, None]
    values = [None if second is None else second * ticks for second in seconds]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"at": pyarrow.array(values, pyarrow.timestamp(unit, "UTC"))}), sink)
    (batch,) = read_parquet(opener(sink.getvalue())).batches
    stored = "ms" if unit == "s" else unit  # Parquet has no seconds
    per_second = {"ms": 1_000, "us": 1_000_000}[stored]
    assert batch.rows.column("at").to_pylist() == [
        "0001-01-01 00:00:00.000000Z",
        "9999-12-31 23:59:59.000000Z",
        *(f"{second * per_second} {stored} since 1970" for second in (first - 1, last + 1, *seconds[4:6])),
        None,
    ]


def test_truncated_gzip_is_an_error() -> None:
    data = gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:-20]
    with pytest.raises(EOFError):
        collect(read_csv(lambda: gzip.GzipFile(fileobj=io.BytesIO(data))))  # type: ignore[arg-type,return-value]  # a GzipFile reads as a BinaryIO


def parquet_file(table: pyarrow.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("is_dictionary", [False, True])
def test_batches_of_parquet_rows_that_grow_suddenly_stay_small(is_dictionary: bool) -> None:
    texts = ["x", "y" * 96_000, "z" * 2 * BATCH_BYTES]
    places = [0] * 3_000 + [1] * 2_000 + [2] + [0] * 3_000
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array(places), pyarrow.array(texts))
    data = parquet_file(pyarrow.table({"a": column if is_dictionary else column.cast(pyarrow.string())}))
    del column
    before = pyarrow.total_allocated_bytes()
    lengths, numbers, held = [], [], 0
    for batch in read_parquet(opener(data)).batches:
        texts_only = batch.rows.drop_columns(ROW_NUMBER)
        assert texts_only.nbytes <= BATCH_BYTES or texts_only.num_rows == 1
        numbers += batch.rows.column(ROW_NUMBER).to_pylist()
        lengths += pyarrow.compute.binary_length(batch.rows.column("a")).to_pylist()
        held = max(held, pyarrow.total_allocated_bytes() - before)
    assert numbers == list(range(1, len(places) + 1))
    assert lengths == [len(texts[place]) for place in places]
    assert held < 160 << 20


def test_batches_of_parquet_values_that_are_longer_as_text_stay_small() -> None:
    table = pyarrow.table({f"flag{number}": [True] * 20_000 for number in range(200)})
    batches = [batch.rows.drop_columns(ROW_NUMBER) for batch in read_parquet(opener(parquet_file(table))).batches]
    assert sum(rows.num_rows for rows in batches) == 20_000
    assert max(rows.nbytes for rows in batches) <= BATCH_BYTES


def test_parquet_rows_are_decoded_few_at_first_and_more_later() -> None:
    """It rests on arrow taking another size between two batches."""
    file = pyarrow.parquet.ParquetFile(io.BytesIO(parquet_file(pyarrow.table({"a": range(100)}))))
    batches = file.iter_batches(batch_size=1)
    sizes = [next(batches).num_rows]
    file.reader.set_batch_size(40)
    assert sizes + [batch.num_rows for batch in batches] == [1, 40, 40, 19]


def test_parquet_values_of_any_type_can_be_put_together() -> None:
    count = 3_000
    columns = {
        "dictionary": pyarrow.array([f"d{row % 7}" for row in range(count)]).dictionary_encode(),
        "view": pyarrow.array([f"v{row}" for row in range(count)], pyarrow.string_view()),
        "bytes": pyarrow.array([b"%d" % row for row in range(count)], pyarrow.binary_view()),
        "large": pyarrow.array([f"l{row}" for row in range(count)], pyarrow.large_string()),
        "uuid": pyarrow.array([row.to_bytes(16) for row in range(count)], pyarrow.uuid()),
        "list": [[row] for row in range(count)],
        "large_list": pyarrow.array([[row] for row in range(count)], pyarrow.large_list(pyarrow.int64())),
        "map": pyarrow.array([[("k", row)] for row in range(count)], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        "struct": [{"x": row} for row in range(count)],
        "null": pyarrow.nulls(count),
        "flag": [row % 2 == 0 for row in range(count)],
        "decimal": pyarrow.array([Decimal(row) for row in range(count)]),
        "time": pyarrow.array(range(count), pyarrow.time64("us")),
    }
    data = parquet_file(pyarrow.table(columns), row_group_size=1_000)
    rows, unreadable = collect(read_parquet(opener(data)))
    assert unreadable == []
    assert [row[ROW_NUMBER] for row in rows] == list(range(1, count + 1))
    for row in (0, 999, 1_000, 2_999):
        assert rows[row]["dictionary"] == f"d{row % 7}"
        assert rows[row]["view"] == f"v{row}"
        assert rows[row]["bytes"] == f"{row}"
        assert rows[row]["large"] == f"l{row}"
        assert rows[row]["uuid"] == str(UUID(int=row))
        assert rows[row]["list"] == rows[row]["large_list"] == f"[{row}]"
        assert rows[row]["map"] == f'{{"k": {row}}}'
        assert rows[row]["struct"] == f'{{"x": {row}}}'
        assert rows[row]["null"] is None
        assert rows[row]["flag"] == ("true" if row % 2 == 0 else "false")


EMPTY_GROUP = (
    "eNrlVj1v20YYvjtTNOsagRzoCBLQoCEmVMSJLDVOnMJAcZIt2Y5cSEb8ES0BTbGyEn2FkkUHyOChQ4CmQIdORcaOHjsWRYaOGTr0B3To2B/Qsf"
    "ceSYkS2SFAO5WQeOT7Pu/zfjy6g2rsME8lukyTVUoouomQnCIIITtPEb1J1TXuTFKZyun7JEvsvMa/Kysc8FEGYAsYE8QhWbpW5QvEp6oSd4zb"
    "tqvwdfD1N2+/N4d2hA1lJcBoyuDCsc45IsQqYbxAOFSj6YB1eQ0cVl7cCzFsxCpoxMrHsGTorYAluYX8C/vrPJOmBB5NCbAqysZYYzIt0RvBFB"
    "NJiDA5PU8/M0RsatgUwcktEYwWYJAIk0UkcKmAQ0l7mf76PFpl4Jk+qSQbY43RSmTQxPRne5C4V7/eQJo8tM7trklvILq8SjTFHtu90dN2cxVV"
    "oSRhXPKMo5cDO2z+2Lroj7pD2wng/zcdF1Foyv+9jkGGYM/94z6L0/vWv6L3cNTvTvXmdgnsfcu6cBy7+dQcraaqb1bSa6KTDaJJI7M15IXLVV"
    "BxQ9KkTns4osQjXLQ7dpdn8slSS9yWGDhty/b80vN2L8ikSnpaf2WgNF3WN5Cc1KelU6JK6qV6hY17hjJ7dukwHQT5EB8SQVucRtYNAlMJc4U6"
    "Fmw/YPUaG79i4zWOP76ixBoQI2mOODwzwfwVVt9g409i/Ehmt0CUUZlhlALG0LQF43us/oaNK8l4t/BhWyGS8ZPZDtYh36aQUMgWyCWyXmH1NT"
    "Z+ThjfJcI7JNoF0Q0J6WVEUDD0Jb8TT2rB9hNWf8HGe9l4+4EbJbaHiLzihxQa/7eK8ftidL9Ei09OJFCvFVUyFPUPZXIOnXzm7SXtXSIHl9sq"
    "McbqzLseMeayYouVGWuxUkvYikXGduChXwO8gO7CzQFzxeVutgkMD8G470JIHx7LIppDGNtj7AkruuwA3svTfMXiYd0DMQEKleJbK6PBWdezlX"
    "xI0V+3hbUFK3+3wO9fO6LyQe1BLnd7+3Yutwm2bdFE0RWACZQdCaPV7Txr1KHUFvRf8Z0lVtzO+fEH5fl4UXp98t6slHuW6wXCaGtiXoA7EqBK"
    "bH+d9cbJujd8wBceB/keCdJSfa7eIUSOnxS+yFu9/U6j/PC8KfoXuu1B/cyfpjfVA8AfH+8csBdz9ezO1VMCX4Xzfno4Pjs5fnla6Dxn+8+glS"
    "O4eXoJqDWpf/K7Yaxx2uic9Q6/bO52XD5Ldgn5LoXeU/29ZkL6+yLO8u2F+cyTejCvnXC9SMsMTOfFhT26Yw0Gd0zH6buZse0M2/1epnD/7vrd"
    "vP6KH8PRDzqVEarxf5Z/A3MOtp8="
)
"""A damaged file, zlib and base64: its schema has a group without fields, which arrow names and then leaves out."""


def test_a_parquet_file_whose_rows_lack_a_column_of_its_schema_is_damaged() -> None:
    content = read_parquet(opener(zlib.decompress(base64.b64decode(EMPTY_GROUP))))
    assert "price" in content.columns
    with pytest.raises(LandingFileError, match="is damaged"):
        list(content.batches)

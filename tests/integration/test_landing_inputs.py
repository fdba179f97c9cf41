"""Whatever a file holds, its outcome is one of two: every row accepted or in quarantine, or the whole file refused in
one line that names the file and the remedy."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pyarrow
import pyarrow.parquet
import pytest
from sqlalchemy import Engine, text

from include.landing import LandingFileError, load_landing_files
from include.landing.batches import BATCH_BYTES
from include.landing.read_jsonl import read_jsonl
from include.landing.read_parquet import read_parquet
from include.settings import Settings

DAY = date(2017, 11, 30)
HEADER = "event_id,event_type,customer_id,occurred_at,query"
AT = "2017-11-30T18:05:00-05:00"
ADDRESS = "ada.lovelace@shop.example"


def line(event_id: str, query: str = "", at: str = AT) -> str:
    return f"{event_id},view,c1,{at},{query}"


def csv(*lines: str, header: str = HEADER, end: str = "\n") -> str:
    return "".join(row + end for row in (header, *lines))


def number(quantity: str, price: str = "1", event_type: str = "purchase") -> str:
    return csv(f"e1,{event_type},c1,{AT},{quantity},{price}", header=f"{HEADER[:-6]},quantity,unit_price")


def parquet(**columns: Any) -> bytes:
    length = max(len(column) for column in columns.values())
    required = {
        "event_id": [f"e{row}" for row in range(length)],
        "event_type": ["view"] * length,
        "customer_id": ["c1"] * length,
        "occurred_at": [AT] * length,
    }
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(required | columns), sink)
    return sink.getvalue()


def json_line(more: str, event_id: str = '"e1"') -> str:
    return f'{{"event_id": {event_id}, "event_type": "view", "customer_id": "c1", "occurred_at": "{AT}"{more}}}\n'


@dataclass(frozen=True)
class Rows:
    """The file's rows: so many accepted, so many in quarantine for reasons with these words in them."""

    accepted: int
    quarantined: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Refused:
    """The whole file, in a line with these words."""

    reason: str


LONG = "x" * (1 << 20)
GOOD = csv(line("e1"))
TABLE: list[tuple[str, str, str | bytes, Rows | Refused]] = [
    ("comma in quotes", "a.csv", csv(line("e1", '"a, b"')), Rows(1)),
    ("quoted empty", "a.csv", csv(line("e1", '""')), Rows(1)),
    ("empty fields, CRLF", "a.csv", csv(line("e1"), end="\r\n"), Rows(1)),
    ("escaped quotes", "a.csv", csv(line("e1", '"a ""b"" c"')), Rows(1)),
    ("json in csv", "a.csv", csv(line("e1", '"{""a"": [1, 2]}"')), Rows(1)),
    ("newline in quotes", "a.csv", csv(line("e1", '"a\nb"'), line("e2")), Rows(2)),
    ("CRLF in quotes", "a.csv", csv(line("e1", '"a\r\nb"'), line("e2"), end="\r\n"), Rows(2)),
    ("quotes and newlines", "a.csv", csv(line("e1", '"a ""x""\n""y"""'), line("e2")), Rows(2)),
    ("utf8", "a.csv", csv(line("é", "ʤ 漢字 🕯")), Rows(1)),
    ("BOM", "a.csv", "\ufeff" + GOOD, Rows(1)),
    ("lone CR", "a.csv", csv(line("e1"), line("e2"), end="\r"), Rows(2)),
    ("no last line end", "a.csv", GOOD.rstrip(), Rows(1)),
    ("NUL", "a.csv", csv(line("e1", "a\0b"), line("e2")), Rows(1, 1, "holds a NUL character")),
    ("invalid UTF-8", "a.csv", GOOD.encode() + b"\xff\xfe,view\n", Rows(1, 1, "not UTF-8")),
    ("Latin-1", "a.csv", csv(line("e1", "café"), line("e2")).encode("latin-1"), Rows(1, 1, "not UTF-8")),
    (
        "Latin-1 header",
        "a.csv",
        csv(line("e1") + ",", header=HEADER + ",é").encode("latin-1"),
        Refused("column 6 holds"),
    ),
    ("NUL in the header", "a.csv", csv(line("e1") + ",", header=HEADER + ",a\0"), Refused("the name of column 6")),
    ("UTF-16", "a.csv", GOOD.encode("utf-16"), Refused("is UTF-16: write it as UTF-8")),
    ("UTF-16 little", "a.csv", GOOD.encode("utf-16-le"), Refused("is UTF-16: write it as UTF-8")),
    ("UTF-16 big", "a.csv", GOOD.encode("utf-16-be"), Refused("is UTF-16: write it as UTF-8")),
    ("UTF-16 Greek", "a.csv", b"\xfe\xff" + "αβγδε".encode("utf-16-be"), Refused("is UTF-16: write it as UTF-8")),
    ("UTF-32", "a.csv", GOOD.encode("utf-32"), Refused("is UTF-32: write it as UTF-8")),
    ("UTF-16 json", "a.jsonl", json_line("").encode("utf-16-le"), Refused("is UTF-16: write it as UTF-8")),
    ("unclosed quote", "a.csv", csv(line("e1"), line("e2", '"a'), line("e3")), Refused("opened in row 2 never closes")),
    ("unclosed header", "a.csv", '"' + GOOD, Refused("opened in the header never closes")),
    (
        "unclosed, large",
        "a.csv",
        csv(line("e1", '"a')) + (line("e2") + "\n") * 400_000,
        Refused("never closes: close it"),
    ),
    *(
        (
            f"quote closed by a later row's {what}",
            "a.csv",
            csv(
                line("e1"),
                line("e2", '"oat milk'),
                *(line(f"e{n}") for n in range(3, 998)),
                line("e998", text),
                *(line(f"e{n}") for n in (999, 1000)),
            ),
            Rows(3, 1, "spans 997 lines, which look like rows of their own: close its quote"),
        )
        for what, text in (("quotes", '"5"" nail"'), ("text", '"rye bread"'))
    ),
    (
        "quote closed by the next row",
        "a.csv",
        csv(line("e1", '"oat'), line("e2", '"rye"'), line("e3")),
        Rows(1, 1, "spans 2 lines"),
    ),
    (
        "quote in the middle closed by the next row",
        "a.csv",
        csv('e1,view,"c1,,x', 'e2,view,"c2",,y'),
        Rows(0, 1, "spans 2 lines"),
    ),
    (
        "all quoted, one unclosed",
        "a.csv",
        csv('"e1","view","c1","","x', '"e2","view","c2","","y"'),
        Rows(0, 1, "spans"),
    ),
    ("an address", "a.csv", csv(line("e1", '"Flat 2, 1 High St, Ely\nKent, UK, Earth, Sun"')), Rows(1)),
    ("a text of lines", "a.csv", csv(line("e1", '"a, b, c\nd, e\n\nf, g, h, i, j\n"')), Rows(1)),
    ("ragged text of lines", "a.csv", csv('e1,"a, b\nc"', line("e2")), Rows(1, 1, "has 2 fields")),
    ("ragged", "a.csv", csv("e1,view", line("e2"), line("e3") + ",,"), Rows(1, 2, "fields where the header has 5")),
    ("1 MB field", "a.csv", csv(line("e1", LONG), line("e2")), Rows(2)),
    (
        "row above a page",
        "a.csv",
        HEADER
        + ","
        + ",".join(f"k{n}" for n in range(900))
        + "\n"
        + line("e1", at=AT[:16] + AT[19:])
        + ",9999999999" * 900,
        Refused("leave out some"),
    ),
    ("row above a block", "a.csv", csv(line("e1", LONG * 17), line("e2")), Refused("a row longer than 8 MiB")),
    (
        "wrong header",
        "a.csv",
        csv(f"{ADDRESS},x", header=f"{ADDRESS},y"),
        Refused("does the first line name the columns?"),
    ),
    (
        "duplicate header",
        "a.csv",
        csv(line("e1") + ",", header=HEADER + ",query"),
        Refused("query occurs more than once"),
    ),
    ("row_number", "a.csv", csv(line("e1") + ",7", header=HEADER + ",row_number"), Refused("give it another name")),
    ("2,000 columns", "a.csv", csv(header=HEADER + "".join(f",x{n}" for n in range(2_000))), Refused("2,005 columns")),
    ("header only", "a.csv", csv(), Rows(0)),
    ("empty", "a.csv", "", Rows(0)),
    ("blank lines", "a.csv", "\n\n", Rows(0)),
    ("whitespace", "a.csv", "  \n \n", Refused("does the first line name the columns?")),
    ("truncated gzip", "a.csv.gz", gzip.compress(GOOD.encode())[:-9], Refused("cannot be read")),
    ("no gzip", "a.csv.gz", GOOD, Refused("Not a gzipped file")),
    ("gzip, garbage behind", "a.csv.gz", gzip.compress(GOOD.encode()) + b"garbage", Refused("end-of-stream marker")),
    ("gzip members", "a.csv.gz", gzip.compress(GOOD.encode()) + gzip.compress(line("e2").encode()), Rows(2)),
    ("integer ids", "a.parquet", parquet(event_id=[1, 2]), Rows(2)),
    ("dictionary", "a.parquet", parquet(query=pyarrow.array(["a", None, "a"]).dictionary_encode()), Rows(3)),
    ("decimal", "a.parquet", parquet(unit_price=[Decimal("1.50")]), Rows(1)),
    ("instants", "a.parquet", parquet(occurred_at=[datetime(2017, 11, 30, tzinfo=UTC)]), Rows(1)),
    (
        "naive instants",
        "a.parquet",
        parquet(occurred_at=pyarrow.array([0], pyarrow.timestamp("us"))),
        Rows(0, 1, "an instant with an off"),
    ),
    *(
        (
            f"instants in {unit} beyond microseconds",
            "a.parquet",
            parquet(occurred_at=pyarrow.array([2**62, 0, None, -(2**62)], pyarrow.timestamp(unit, "UTC"))),
            Rows(1, 3, "occurred_at"),
        )
        for unit in ("ms", "us")
    ),
    *(
        (
            f"instants in {unit} of year {year}",
            "a.parquet",
            parquet(occurred_at=pyarrow.array([seconds * ticks, 0, None], pyarrow.timestamp(unit, "UTC"))),
            Rows(1, 2, "occurred_at"),
        )
        for unit, ticks in (("s", 1), ("ms", 1_000), ("us", 1_000_000))
        for year, seconds in ((67_553, 2_069_640_201_600), (32_768, 971_890_963_200), (-32_769, -1_096_225_401_600))
    ),
    ("dates", "a.parquet", parquet(occurred_at=[DAY]), Rows(0, 1, "is not an instant")),
    ("nested", "a.parquet", parquet(a=[{"x": [1, None]}], b=[[float("nan")]]), Rows(1)),
    ("large_string", "a.parquet", parquet(query=pyarrow.array(["a"], pyarrow.large_string())), Rows(1)),
    ("uuid", "a.parquet", parquet(event_id=pyarrow.array([UUID(int=1).bytes], pyarrow.uuid())), Rows(1)),
    (
        "bytes for an id",
        "a.parquet",
        parquet(event_id=pyarrow.array([b"\xff\xfe"], pyarrow.binary(2))),
        Rows(0, 1, "UTF-8"),
    ),
    ("empty view", "a.parquet", parquet(event_id=pyarrow.array([""], pyarrow.string_view())), Rows(0, 1, "is missing")),
    (
        "unsayable map",
        "a.parquet",
        parquet(x=pyarrow.array([[(date(2017, 1, 1), 1)]], pyarrow.map_(pyarrow.date32(), pyarrow.int64()))),
        Refused("column x holds map<"),
    ),
    ("null-typed", "a.parquet", parquet(query=pyarrow.nulls(2)), Rows(2)),
    ("null-typed id", "a.parquet", parquet(event_id=pyarrow.nulls(1)), Rows(0, 1, "event_id is missing")),
    ("NaN price", "a.parquet", parquet(unit_price=[float("nan"), float("inf"), 1.0]), Rows(1, 2, "is not an amount")),
    (
        "NaN ids",
        "a.parquet",
        parquet(customer_id=[float("nan"), 12.0, None], item_id=[None, 7.0, 8.0]),
        Rows(1, 2, "customer_id is"),
    ),
    (
        "NaN ids in a dictionary",
        "a.parquet",
        parquet(item_id=pyarrow.array([1.0, float("inf")]).dictionary_encode()),
        Rows(1, 1, "item_id is inf: write a missing one as null"),
    ),
    ("NaN in another column", "a.parquet", parquet(shelf=[float("nan"), 1.0]), Rows(2)),
    ("truncated parquet", "a.parquet", parquet(query=["a"])[:-20], Refused("cannot be read")),
    ("jsonl, NaN", "a.jsonl", json_line(', "quantity": NaN'), Rows(0, 1, "NaN is no JSON value")),
    ("jsonl, Infinity", "a.jsonl", json_line(', "x": Infinity'), Rows(0, 1, "Infinity is no JSON value")),
    (
        "jsonl, too large an id",
        "a.jsonl",
        json_line("", "1e400") + json_line("", "[-1e400]"),
        Rows(0, 2, "is not JSON"),
    ),
    ("jsonl, true as an id", "a.jsonl", json_line("", "true"), Rows(1)),
    ("jsonl, nested", "a.jsonl", json_line(', "x": {"y": [1, {"z": null}]}'), Rows(1)),
    ("jsonl, array", "a.jsonl", json_line("") + "[1]\n", Rows(1, 1, "is not a JSON object")),
    (
        "jsonl, one array in a line",
        "a.jsonl",
        json_line("") + f"\n[{','.join([json_line('').rstrip()] * 100_000)}]\n",
        Refused("line 3 is longer than 8 MiB: write one object per line, not one array"),
    ),
    ("jsonl, 1 MB in a line", "a.jsonl", json_line(f', "query": "{LONG}"') + json_line("", '"e2"'), Rows(2)),
    ("jsonl, repeated key", "a.jsonl", json_line(', "query": "a", "query": "b"'), Rows(1)),
    ("jsonl, large id", "a.jsonl", json_line("", "9" * 40), Rows(1)),
    ("jsonl, endless number", "a.jsonl", json_line("", "9" * 5_000), Rows(0, 1, "is not JSON: Exceeds the limit")),
    ("jsonl, BOM", "a.jsonl", "\ufeff" + json_line(""), Rows(1)),
    ("jsonl, NUL inside", "a.jsonl", json_line(r', "x": {"y": "\u0000"}'), Rows(0, 1, "properties")),
    ("year 1", "a.csv", csv(line("e1", at="0001-01-01T00:00:00Z")), Rows(1)),
    ("year 9999", "a.csv", csv(line("e1", at="9999-12-31T23:59:59Z")), Rows(1)),
    ("before year 1", "a.csv", csv(line("e1", at="0001-01-01T00:00:00+14:00")), Rows(0, 1, "is not an instant")),
    ("after year 9999", "a.csv", csv(line("e1", at="9999-12-31T23:59:59-14:00")), Rows(0, 1, "is not an instant")),
    ("infinity", "a.csv", csv(line("e1", at="infinity"), line("e2", at="-infinity")), Rows(0, 2, "is not an instant")),
    ("no offset", "a.csv", csv(line("e1", at="2017-11-30T18:05:00")), Rows(0, 1, "an instant with an offset")),
    ("mixed offsets", "a.csv", csv(line("e1"), line("e2", at="2017-11-30 23:05+0530")), Rows(2)),
    ("nonexistent local time", "a.csv", csv(line("e1", at="2017-03-12T02:30:00-05:00")), Rows(1)),
    ("ambiguous local time", "a.csv", csv(line("e1", at="2017-11-05T01:30-04:00"), line("e2", at=AT)), Rows(2)),
    ("NaN quantity", "a.csv", number("NaN"), Rows(0, 1, "is not a finite number")),
    ("Infinity price", "a.csv", number("1", "Infinity"), Rows(0, 1, "is not an amount")),
    ("negative purchase", "a.csv", number("-1"), Rows(0, 1, "a purchase needs a quantity above 0")),
    ("return", "a.csv", number("-1", event_type="return"), Rows(1)),
]
"""What it is called, the file's name and content, and the outcome."""


def write(settings: Settings, name: str, content: str | bytes, day: str = "2017-11-30") -> None:
    file = Path(settings.landing) / "events" / day / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def rows_of(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize(("name", "content", "outcome"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_every_input_has_its_outcome(
    engine: Engine, settings: Settings, name: str, content: str | bytes, outcome: Rows | Refused
) -> None:
    write(settings, name, content)
    if isinstance(outcome, Refused):
        with pytest.raises(LandingFileError) as caught:
            load_landing_files(engine, settings, business_date=DAY)
        said = str(caught.value)
        assert f"events/2017-11-30/{name}: " in said
        assert outcome.reason in said
        assert "\n" not in said
        assert ADDRESS not in said
        assert rows_of(engine, "select 1 from marketing.events union all select 1 from marketing.landing_files") == []
        return
    summary = load_landing_files(engine, settings, business_date=DAY)
    assert (summary.rows_accepted, summary.rows_quarantined) == (outcome.accepted, outcome.quarantined)
    refused = rows_of(engine, "select row_number, reason from marketing.quarantined_rows")
    accepted = rows_of(engine, "select row_number from marketing.events")
    assert sorted(row[0] for row in accepted + refused) == list(range(1, outcome.accepted + outcome.quarantined + 1))
    assert all(outcome.reason in row[1] for row in refused)


NAUGHTY = [
    "undefined",
    "null",
    "NULL",
    r"\N",
    r"\.",
    "-1/0",
    "1e309",
    "'; drop table marketing.events; --",
    "{% raise %}{{7*7}}",
    "$(touch /x) `id` %s %(x)s :x {0}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "Ω≈ç√∫˜µ≤≥÷",
    "田中さんにあげて下さい",
    "👩‍👩‍👧‍👦 🏳️‍🌈 ❤️",
    "\u202eabc\u202c",
    "الكل في المجمو عة",
    "a\u200bb",
    "a\u00adb",
    "\ufeffa",
    "\u0438\u0306 й",
    "e\u0301",
    "é",
    "Å",
    "\u212b",
    "А",
    "A",
    "ｆｕｌｌｗｉｄｔｈ",
    " a",
    "a ",
    "a b",
    "\t",
    "a\x01\x1b\x7f\x85b",
    "a\u2028b\u2029",
    "Z\u0321\u0357\u0342" * 40,
    "\U0010fffd\ufffd\uffff",
]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_naughty_strings_come_out_as_they_went_in_and_look_alikes_stay_apart(
    engine: Engine, settings: Settings, kind: str
) -> None:
    import csv as csv_module
    import json

    ids = [f"{position}{naughty}" if not naughty.strip() else naughty for position, naughty in enumerate(NAUGHTY)]
    events = [
        {"event_id": id_, "event_type": "view", "customer_id": id_, "occurred_at": AT, "query": said, "note": said}
        for id_, said in zip(ids, NAUGHTY, strict=True)
    ]
    sink = io.StringIO(newline="")
    if kind == "csv":
        writer = csv_module.DictWriter(sink, list(events[0]), quoting=csv_module.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(events)
        content: str | bytes = sink.getvalue()
    elif kind == "jsonl":
        content = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    else:
        content = parquet(**{name: [event[name] for event in events] for name in events[0]})
    write(settings, f"a.{kind}", content)
    load_landing_files(engine, settings, business_date=DAY)
    landed = rows_of(
        engine, "select event_id, customer_id, query, properties->>'note' from marketing.events order by row_number"
    )
    assert landed == [(id_, id_, said, said) for id_, said in zip(ids, NAUGHTY, strict=True)]


def test_a_schema_that_changed_overnight(engine: Engine, settings: Settings) -> None:
    write(settings, "a.csv", csv(line("e1", "lamp")), "2017-11-28")
    write(settings, "a.csv", f"shelf,occurred_at,customer_id,event_type,event_id\ntop,{AT},c1,view,e2\n", "2017-11-29")
    write(settings, "a.csv", "event_id,event_type,occurred_at\ne3,view,x\n", "2017-11-30")
    with pytest.raises(LandingFileError, match=r"events/2017-11-30/a.csv: column customer_id is missing"):
        load_landing_files(engine, settings, business_date=DAY)
    assert rows_of(engine, "select event_id, query, properties from marketing.events order by 1") == [
        ("e1", "lamp", {}),
        ("e2", None, {"shelf": "top"}),
    ]


def test_a_file_with_nothing_but_ragged_rows_is_refused_as_a_whole(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.read_csv.RAGGED_ROWS_THAT_REFUSE", 1_000)
    write(settings, "a.csv", csv(*(line(f"e{row}") + "," for row in range(2_000))))
    with pytest.raises(LandingFileError, match="row 1000 has 6 fields where the header has 5, and so it is with each"):
        load_landing_files(engine, settings, business_date=DAY)
    write(settings, "a.csv", csv(line("good"), *(line(f"e{row}") + "," for row in range(2_000))))
    summary = load_landing_files(engine, settings, business_date=DAY)
    assert (summary.rows_accepted, summary.rows_quarantined) == (1, 2_000)


def test_wide_rows_come_in_small_batches() -> None:
    wide = "x" * 3_000
    content = parquet(query=pyarrow.array([wide] * 20_000).dictionary_encode())
    rows = [batch.rows.num_rows for batch in read_parquet(lambda: cast(Any, io.BytesIO(content))).batches]
    assert sum(rows) == 20_000
    assert max(rows) * 3_000 < 2 * BATCH_BYTES
    lines = (json_line(f', "x": "{wide}"') * 20_000).encode()
    sizes = [
        batch.rows.num_rows for batch in read_jsonl(lambda: cast(Any, io.BytesIO(lines)), ("event_id",), "p").batches
    ]
    assert sum(sizes) == 20_000
    assert max(sizes) * 3_000 < 2 * BATCH_BYTES

"""Rows that arrow reads by itself and rows that go through the SQL rules: the same outcome, whichever way they take."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pyarrow.parquet
import pytest
from sqlalchemy import Engine, text

from include.db.tables import LANDING_TABLES
from include.landing import load_landing_files
from include.landing.rules import RULES, Rules
from include.settings import Settings

DAY = date(2017, 11, 30)
ROWS = 1_500
IDS = ["c1", " c1", "c1 ", "\u00e9", "x" * 500, "x" * 501, "\t", "NULL", "\\N", "all", '"', "\u0441", "0", "a\nb"]
INSTANTS = [
    "2017-11-30T18:05:00-05:00",
    "2017-11-30 18:05:00+00:00",
    "2017-11-30T18:05:00Z",
    "2017-11-30T18:05:00.123456+05:30",
    "2016-02-29T23:59:59+00:00",
    "2017-02-29T00:00:00+00:00",
    "1900-12-31T00:00:00-14:59",
    "2999-12-31T23:59:59.9Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "2017-04-31T00:00:00Z",
    "2017-11-30T24:00:00Z",
    "2017-11-30T23:59:60Z",
    "2017-11-30T23:05Z",
    "2017-11-30T23Z",
    "2017-11-30T18:05:00",
    "2017-11-30T18:05:00.1234567Z",
    "2017-11-30T18:05:00+15:59",
    "2017-11-30T18:05:00+1600",
    "2017-11-30T18:05:00z",
    "2017-11-30",
    "infinity",
    "2017-11-30T18:05:00Z\n",
]
NUMBERS = [
    "1",
    "0",
    "-0",
    "2.5",
    "-2.5",
    "-0.0000",
    "0.30000000000000004",
    "99999.9999",
    "99999999.9999",
    "100000000",
    "99999.99999",
    "0.00001",
    "1e3",
    "1E-3",
    "+1",
    ".5",
    "5.",
    "007",
    "NaN",
    "Infinity",
    "0x1F",
    "1_000",
    " 1",
    "1 ",
    "\u0661",
    "",
    "1.0000000000000002",
    "0.123456789012345",
    "1.000",
]
WORDS = [
    "view",
    "purchase",
    "return",
    "email",
    "app_push",
    "true",
    "false",
    "t",
    "0",
    "treated",
    "control",
    "View",
    "on",
]
ZONES = ["America/New_York", "UTC", "america/new_york", "EST5EDT", "+05:00"]
TEXTS = ["oat milk", 'say "hi"', "back\\slash", "a\tb", "\u00fc\U0001f600", "null", "{}", "x" * 3_000]
JSON_TEXTS = ["{}", '{"a": 1}', "[1]", "null", '{"a": "\\u00e9"}', "{"]
EXTRAS = ["shop", 'na"me', "\u00fcber", "k:1"]
POOLS = {
    "time_zone": ZONES,
    **dict.fromkeys(["occurred_at", "created_at", "sent_at"], INSTANTS),
    **dict.fromkeys(["quantity", "unit_price", "price", "margin_rate", "cost"], NUMBERS),
    **dict.fromkeys(["event_type", "channel", "granted", "in_stock", "arm"], WORDS),
    **{name: [*TEXTS, *JSON_TEXTS, "12", "-1.5", "true"] for name in ("properties", "attributes", *EXTRAS)},
    **dict.fromkeys(["query", "title", "category", "source", "locale", "email", "url"], TEXTS),
}


def drop(settings: Settings, path: str, content: bytes) -> None:
    file = Path(settings.landing) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def fetch(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def _value(chance: random.Random, name: str, likely: Sequence[str]) -> str | None:
    if chance.random() < 0.03:
        return None
    value = chance.choice(likely if chance.random() < 0.93 else POOLS.get(name, IDS))
    if value and chance.random() < 0.01:
        place = chance.randrange(len(value))
        value = value[:place] + chance.choice("0159 -+:.TZe\u00e9\"\\'") + value[place + 1 :]
    return value


def _rows(chance: random.Random, rules: Rules, with_object: bool) -> list[dict[str, str | None]]:
    likely: dict[str, Sequence[str]] = {
        "customer_id": [f"c{number}" for number in range(900)],
        "item_id": [f"i{number}" for number in range(900)],
        "event_id": [f"e{number}" for number in range(9_000)],
        "campaign_id": ["spring", "autumn"],
        "occurred_at": INSTANTS[:3],
        "sent_at": INSTANTS[:4],
        "time_zone": ZONES[:2],
        "event_type": WORDS[:3],
        "channel": ["email", "app_push"],
        "granted": ["true", "false"],
        "in_stock": ["true", "false"],
        "arm": ["treated", "control"],
        "quantity": ["1", "2", "0.5"],
        "unit_price": ["9.99", "12", "99999999"],
        **dict.fromkeys(("price", "cost", "margin_rate"), ("0.5", "1", "0.30000000000000004")),
        **dict.fromkeys(("properties", "attributes"), ("{}", '{"a": 1}')),
    }
    names = [name for name in rules.column_names if with_object or name != rules.object_column] + EXTRAS
    return [
        {name: _value(chance, name, likely.get(name, POOLS.get(name, IDS)[:4])) for name in names} for _ in range(ROWS)
    ]


def _as_csv(rows: list[dict[str, str | None]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _as_jsonl(rows: list[dict[str, str | None]]) -> bytes:
    def parsed(value: str | None) -> Any:
        try:
            return json.loads(value or "null")
        except ValueError:
            return value

    objects = ("properties", "attributes", *EXTRAS)
    lines = ({name: parsed(value) if name in objects else value for name, value in row.items()} for row in rows)
    return "\n".join(map(json.dumps, lines)).encode()


def _as_parquet(rows: list[dict[str, str | None]]) -> bytes:
    columns = {name: pyarrow.array([row[name] for row in rows], pyarrow.string()) for name in rows[0]}
    # Values that are JSON where they have no column of their own.
    columns["number"] = pyarrow.array([place - 7 for place in range(len(rows))], pyarrow.int64())
    columns["ratio"] = pyarrow.array([None if place % 5 else place / 3 for place in range(len(rows))])
    columns["flag"] = pyarrow.array([None if place % 3 else place % 2 == 0 for place in range(len(rows))])
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out, row_group_size=700)
    return out.getvalue()


def _outcome(engine: Engine, settings: Settings, table: str) -> tuple[list[Any], list[Any]]:
    """Loads what lies in the landing folder; all rows that were accepted, and all that were not. Empties the tables."""
    load_landing_files(engine, settings, business_date=DAY)
    key = ", ".join(column.name for column in LANDING_TABLES[table].primary_key)
    accepted = fetch(engine, f"select to_jsonb(t) - 'file_id' from marketing.{table} t order by {key}")
    refused = fetch(
        engine, "select row_number, reason, row from marketing.quarantined_rows order by row_number, reason"
    )
    with engine.begin() as connection:
        connection.execute(
            text(f"truncate marketing.{table}, marketing.quarantined_rows, marketing.landing_files restart identity")
        )
    return accepted, refused


@pytest.mark.parametrize("table", ["customers", "items", "events", "consents", "message_history"])
@pytest.mark.parametrize(
    ("ending", "write", "with_object"),
    [("csv", _as_csv, False), ("csv", _as_csv, True), ("jsonl", _as_jsonl, True), ("parquet", _as_parquet, False)],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_both_ways_have_the_same_outcome(
    engine: Engine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    ending: str,
    write: Callable[[list[dict[str, str | None]]], bytes],
    with_object: bool,
    is_first: bool,
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1 if is_first else 1 << 40)
    rows = _rows(random.Random(f"{table}{ending}{with_object}"), RULES[table], with_object)
    drop(settings, f"{table}/2017-11-30/a.{ending}", write(rows))
    quick = _outcome(engine, settings, table)
    monkeypatch.setattr(Rules, "certain_possible", property(lambda _: False))
    by_sql = _outcome(engine, settings, table)
    for ours, theirs in zip(quick, by_sql, strict=True):
        assert [row for row in ours if row not in theirs] == []
        assert ours == theirs
    accepted, refused = quick
    assert len(accepted) + len(refused) == ROWS
    assert len(accepted) > ROWS / 20
    assert len(refused) > ROWS / 20


def test_most_rows_of_an_ordinary_file_are_certain(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr("include.landing.load.copy_texts", lambda connection, staging, rows: seen.append(rows.num_rows))
    header = "event_id,event_type,customer_id,occurred_at,item_id,quantity,unit_price,shop\n"
    line = "e{},purchase,c1,2017-11-30T18:05:00-05:00,i1,1,9.99,north\n"
    lines = (line.format(number) for number in range(500))
    drop(settings, "events/2017-11-30/a.csv", (header + "".join(lines)).encode())
    assert load_landing_files(engine, settings, business_date=DAY).rows_accepted == 500
    assert sum(seen) == 0
    assert fetch(engine, "select distinct properties from marketing.events") == [({"shop": "north"},)]


FINE_INSTANTS = [
    "2017-11-30T18:05:00.123456000",
    "2017-11-30T18:05:00.123456499",
    "2017-11-30T18:05:00.123456500",
    "2017-11-30T18:05:00.123457500",
    "2017-11-30T18:05:00.999999999",
    "1969-12-31T23:59:59.999999999",
    "1969-07-20T20:17:40.000000001",
]
FLOATS = [12.0, 12.5, 0.0, 12345678901.0, 1e15, 1e16, 0.00001, 1 / 3]
ROUNDED = [
    "18:05:00.123456",
    "18:05:00.123456",
    "18:05:00.123456",
    "18:05:00.123458",
    "18:05:01",
    "00:00:00",
    "20:17:40",
]


def _typed_events(ending: str) -> bytes:
    """An event per instant and float, its times and numbers typed as far as the format has types."""
    pairs = [(instant, number) for instant in FINE_INSTANTS for number in FLOATS]
    names = {"event_type": "view", "customer_id": "c1"}
    rows = [
        names | {"event_id": number + place * 10**6, "occurred_at": f"{instant}Z", "item_id": number, "ratio": number}
        for place, (instant, number) in enumerate(pairs)
    ]
    if ending == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()
    if ending == "jsonl":
        return "\n".join(map(json.dumps, rows)).encode()
    columns = {name: pyarrow.array([row[name] for row in rows]) for name in rows[0]}
    nanoseconds = numpy.array([instant for instant, _ in pairs], "datetime64[ns]")
    columns["occurred_at"] = pyarrow.array(nanoseconds).cast(pyarrow.timestamp("ns", "UTC"))
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize("is_quick", [True, False])
def test_times_and_numbers_mean_the_same_in_every_format(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, is_quick: bool
) -> None:
    """Postgres rounds nanoseconds to the nearest microsecond; a number's text is its id."""
    if not is_quick:
        monkeypatch.setattr(Rules, "certain_possible", property(lambda _: False))
    outcomes = {}
    for ending in ("csv", "jsonl", "parquet"):
        drop(settings, f"events/2017-11-30/a.{ending}", _typed_events(ending))
        accepted, refused = _outcome(engine, settings, "events")
        assert refused == []
        outcomes[ending] = [row | {"properties": {}} for (row,) in accepted]
        (Path(settings.landing) / f"events/2017-11-30/a.{ending}").unlink()
    assert outcomes["csv"] == outcomes["jsonl"] == outcomes["parquet"]
    by_row = sorted(outcomes["csv"], key=lambda row: row["row_number"])
    assert [row["item_id"] for row in by_row] == [repr(number) for number in FLOATS] * len(FINE_INSTANTS)
    assert [row["occurred_at"][11:].removesuffix("+00:00") for row in by_row[:: len(FLOATS)]] == ROUNDED

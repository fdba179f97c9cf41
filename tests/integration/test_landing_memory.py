"""A process that loads a file of which most rows cannot be read: its memory does not grow with their number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from include.settings import PROJECT_ROOT, Settings

PEAK_OF_LOAD = """
import sys
from datetime import date
from include.db.engine import make_engine
from include.landing import load_landing_files
from include.settings import Settings
from tests.benchmarks.peak_memory import peak_megabytes
settings = Settings(database_url=sys.argv[1], landing=sys.argv[2])
load_landing_files(make_engine(settings), settings, business_date=date(2017, 11, 30))
print(peak_megabytes())
"""
AT = b"2017-11-30T18:05:00Z"
UNREADABLE = 1_000_000
GOOD = UNREADABLE // 10


@pytest.mark.parametrize(
    ("name", "header", "good", "unreadable"),
    [
        (
            "a.csv",
            b"event_id,event_type,customer_id,occurred_at,query\n",
            b"e%d,view,c1,%s,oat milk\n",
            (b"b%d,view,c1,%s,oat,milk\n", b"b%d,view,c1,%s,\xff\n"),
        ),
        (
            "a.jsonl",
            b"",
            b'{"event_id":"e%d","event_type":"view","customer_id":"c1","occurred_at":"%s"}\n',
            (b'{"event_id":"b%d","occurred_at":"%s"\n', b'{"event_id":"b%d","occurred_at":"%s","x":"\xff"}\n'),
        ),
    ],
    ids=["csv", "jsonl"],
)
def test_a_million_rows_that_cannot_be_read_are_not_held(
    database_url: str,
    engine: Engine,
    settings: Settings,
    name: str,
    header: bytes,
    good: bytes,
    unreadable: tuple[bytes, bytes],
) -> None:
    file = Path(settings.landing) / "events/2017-11-30" / name
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        out.write(header)
        for number in range(UNREADABLE):
            out.write(unreadable[number % 2] % (number, AT))
            if number < GOOD:
                out.write(good % (number, AT))
    peak = subprocess.run(
        [sys.executable, "-c", PEAK_OF_LOAD, database_url, settings.landing],
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    with engine.connect() as connection:
        counts = connection.execute(text("select rows_accepted, rows_quarantined from marketing.landing_files")).one()
    assert tuple(counts) == (GOOD, UNREADABLE)
    assert float(peak) < 600

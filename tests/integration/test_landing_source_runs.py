"""A night's export and load as processes of their own: killed at any moment, two at once, and a million rows long."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from include.landing import load_landing_files
from include.settings import PROJECT_ROOT, Settings

DAY = date(2017, 11, 30)
ROWS = 100_000
SOURCE = {
    "table": "events",
    "relation": "shop.lines",
    "columns": {"event_id": "id", "event_type": "kind", "customer_id": "who", "occurred_at": "at", "query": "said"},
    "watermark": "at",
}
NIGHT = """
import sys
from datetime import date
from include.db.engine import make_engine
from include.landing import export_sources, load_landing_files
from include.settings import Settings
settings = Settings.model_validate_json(sys.argv[1])
engine = make_engine(settings)
print("ready", flush=True)
export_sources(engine, settings, business_date=date(2017, 11, 30))
load_landing_files(engine, settings, business_date=date(2017, 11, 30))
"""
PEAK_OF_EXPORT = """
import sys
from datetime import date
from include.db.engine import make_engine
from include.landing import export_sources
from include.settings import Settings
from tests.benchmarks.peak_memory import peak_megabytes
settings = Settings.model_validate_json(sys.argv[1])
engine = make_engine(settings)
export_sources(engine, settings, business_date=date(2017, 11, 29))
before = peak_megabytes()
export_sources(engine, settings, business_date=date(2017, 11, 30))
print(peak_megabytes() - before)
"""


def fill_shop(engine: Engine, rows: int, said: str) -> None:
    """``rows`` lines, all seen on DAY, the last of a type that landing refuses."""
    with engine.begin() as connection:
        connection.execute(text("create schema if not exists shop"))
        connection.execute(
            text(
                "create or replace view shop.lines as"
                f" select n as id, case when n < {rows} then 'view' else 'stare' end as kind,"
                " 'c' || n % 1000 as who, timestamptz '2017-11-30 12:00:00Z' + n * interval '1 millisecond' as at,"
                f" '{said}' as said from generate_series(1, {rows}) as n"
            )
        )


def as_json(settings: Settings) -> str:
    """What a process of its own needs to know."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    return json.dumps(
        {"database_url": url, "landing": settings.landing, "business_time_zone": "UTC", "sources": [SOURCE]}
    )


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start_night() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", NIGHT, as_json(settings)],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_night
    for process in processes:
        process.kill()
        process.wait()


def state(engine: Engine) -> list[Any]:
    """Of each file: its rows as counted, and its rows in the tables, told apart by event and by what they say."""
    query = (
        "select file, rows_accepted, rows_quarantined, count(event_id), count(distinct event_id),"
        " array_agg(distinct query) filter (where query is not null),"
        " (select count(*) from marketing.quarantined_rows q where q.file_id = f.file_id)"
        " from marketing.landing_files f left join marketing.events using (file_id) group by f.file_id"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


FILE = f"events/{DAY}/source-shop.lines.csv"


def loaded_once(said: str) -> list[Any]:
    return [(FILE, ROWS - 1, 1, ROWS - 1, ROWS - 1, [said], 1)]


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def test_a_night_killed_at_any_moment_and_run_again_has_loaded_once(
    start: Callable[[], subprocess.Popen[str]], engine: Engine, settings: Settings
) -> None:
    fill_shop(engine, ROWS, "first")
    whole = Path(settings.landing) / FILE
    unfinished = whole.with_name(f"_{whole.name}")
    moments: list[Callable[[], bool]] = [
        lambda: True,
        lambda: size(unfinished) >= 0,
        lambda: size(unfinished) > 1 << 20,
        lambda: size(unfinished) > 3 << 20,
        lambda: size(whole) >= 0,
    ]
    for position, moment in enumerate(moments):
        process = start()
        while not moment() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        assert process.wait() == -9, f"moment {position} came after the night's end"
        assert (size(whole) >= 0) == (position == len(moments) - 1)
        # Another night's load, before the killed one runs again.
        load_landing_files(engine, settings, business_date=DAY)
        assert state(engine) == (loaded_once("first") if size(whole) >= 0 else [])
    fill_shop(engine, ROWS, "second")
    for delay in (0.05, 0.3, 0.6, 0.9):
        process = start()
        time.sleep(delay)
        process.kill()
        process.wait()
        assert state(engine) in (loaded_once("first"), loaded_once("second"))
    assert start().wait(60) == 0
    assert state(engine) == loaded_once("second")
    assert sorted(path.name for path in whole.parent.iterdir()) == [whole.name]


def test_two_nights_at_once_export_and_load_once(
    start: Callable[[], subprocess.Popen[str]], engine: Engine, settings: Settings
) -> None:
    fill_shop(engine, ROWS, "first")
    nights = [start() for _ in range(2)]
    assert [night.wait(120) for night in nights] == [0, 0]
    assert state(engine) == loaded_once("first")
    with engine.connect() as connection:
        # Numbers are counted on under the lock: a file loaded twice would have a larger one.
        assert connection.execute(text("select max(file_id) from marketing.landing_files")).scalar_one() == 1


def test_a_million_rows_are_exported_without_holding_them(engine: Engine, settings: Settings) -> None:
    fill_shop(engine, 1_000_000, "x" * 200)
    growth = subprocess.run(
        [sys.executable, "-c", PEAK_OF_EXPORT, as_json(settings)],
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert size(Path(settings.landing) / FILE) > 200 << 20
    assert float(growth) < 20

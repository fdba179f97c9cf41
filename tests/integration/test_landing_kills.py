"""Processes that die, and files that grow while they are read: the next run ends as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from include.landing import load, load_landing_files
from include.landing.discovery import LandingFile, sha256_of
from include.settings import PROJECT_ROOT, Settings

DAY = date(2017, 11, 30)
ROWS = 60_000
RUN = """
import sys
from datetime import date
from include.db.engine import make_engine
from include.landing import load_landing_files
from include.settings import Settings
settings = Settings(database_url=sys.argv[1], landing=sys.argv[2])
engine = make_engine(settings)
print("ready", flush=True)
load_landing_files(engine, settings, business_date=date(2017, 11, 30))
"""


def write(settings: Settings, day: str, *rows: str) -> Path:
    file = Path(settings.landing) / "events" / day / "a.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(("event_id,event_type,customer_id,occurred_at", *rows)) + "\n")
    return file


def view(event_id: str, customer: str = "c1") -> str:
    return f"{event_id},view,{customer},2017-11-30T00:00:00Z"


def start(database_url: str, settings: Settings) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, database_url, settings.landing],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def state(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                text(
                    "select file, rows_accepted, rows_quarantined, count(events.file_id), max(customer_id),"
                    " (select count(*) from marketing.quarantined_rows q where q.file_id = f.file_id)"
                    " from marketing.landing_files f left join marketing.events using (file_id)"
                    " group by f.file_id order by file"
                )
            )
        ]


def test_a_process_killed_at_any_point_leaves_a_file_whole_or_not_at_all(
    database_url: str, engine: Engine, settings: Settings
) -> None:
    earlier = ("events/2017-11-29/a.csv", 1, 1, 1, "c1", 1)
    write(settings, "2017-11-29", view("e"), "bad")
    load_landing_files(engine, settings, business_date=DAY)
    write(settings, "2017-11-30", "bad", *(view(f"e{row}", "c2") for row in range(ROWS)))
    later = ("events/2017-11-30/a.csv", ROWS, 1, ROWS, "c2", 1)
    killed = 0
    for delay in (0.05, 0.2, 0.4, 0.6):
        process = start(database_url, settings)
        time.sleep(delay)
        process.kill()
        killed += process.wait() == -9
        assert state(engine) in ([earlier], [earlier, later])
    assert killed > 0
    load_landing_files(engine, settings, business_date=DAY)
    assert state(engine) == [earlier, later]
    assert load_landing_files(engine, settings, business_date=DAY).files_loaded == 0


def test_a_process_killed_while_it_fills_an_empty_table_leaves_it_empty_and_whole(
    database_url: str, engine: Engine, settings: Settings
) -> None:
    indexes = text("select indexdef from pg_indexes where tablename = 'events' order by 1")
    with engine.connect() as connection:
        before = connection.execute(indexes).all()
    rows = 5 * ROWS
    write(settings, "2017-11-30", "bad", *(view(f"e{row}", "c2") for row in range(rows)), view("e7", "c2"))
    later = ("events/2017-11-30/a.csv", rows, 2, rows, "c2", 2)
    outcomes = []
    for delay in (0.05, 0.15, 0.3, 0.5, 0.8):
        process = start(database_url, settings)
        time.sleep(delay)
        process.kill()
        outcomes.append((process.wait(), state(engine)))
        assert outcomes[-1][1] in ([], [later])
        with engine.connect() as connection:
            assert connection.execute(indexes).all() == before
    assert (-9, []) in outcomes
    load_landing_files(engine, settings, business_date=DAY)
    assert state(engine) == [later]


def test_two_processes_at_once_load_each_file_once(database_url: str, engine: Engine, settings: Settings) -> None:
    for day in ("2017-11-28", "2017-11-29", "2017-11-30"):
        write(settings, day, "bad", *(view(f"{day}-{row}") for row in range(2_000)))
    processes = [start(database_url, settings) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert state(engine) == [
        (f"events/{day}/a.csv", 2_000, 1, 2_000, "c1", 1) for day in ("2017-11-28", "2017-11-29", "2017-11-30")
    ]
    with engine.connect() as connection:
        # Numbers are counted on under the lock: a file loaded twice would leave a gap.
        assert connection.execute(text("select max(file_id) from marketing.landing_files")).scalar_one() == 3


@pytest.mark.parametrize("half", [view("e1") + "\n" + view("e2")[:9], view("e1") + "\n" + view("e2")])
def test_a_file_still_being_written_is_whole_the_next_night(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    file = write(settings, "2017-11-30", half)
    whole = (view("e1"), view("e2"), view("e3"))

    def written_meanwhile(found: LandingFile) -> str:
        digest = sha256_of(found)
        write(settings, "2017-11-30", *whole)
        return digest

    with monkeypatch.context() as patch:
        patch.setattr(load, "sha256_of", written_meanwhile)
        load_landing_files(engine, settings, business_date=DAY)
    assert file.read_text().count("\n") == len(whole) + 1
    assert load_landing_files(engine, settings, business_date=DAY).files_loaded == 1
    assert state(engine) == [("events/2017-11-30/a.csv", 3, 0, 3, "c1", 0)]
    assert load_landing_files(engine, settings, business_date=DAY).files_loaded == 0

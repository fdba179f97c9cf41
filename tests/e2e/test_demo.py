"""``make demo``: it runs once, is done ever after, and leaves the commands that follow a usable house."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from demo_house import NIGHT, DemoHouse, demo, marketing
from make_commands import AIRFLOW_SECONDS, ours
from sqlalchemy import text
from table_contents import contents

from include.db.tables import DATED_TABLES
from include.demo.sinks import Sinks
from include.local.layout import Layout

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(AIRFLOW_SECONDS)]


def report(printed: str) -> str:
    """From the morning report's heading to the next line with a clock."""
    _, heading, rest = printed.partition(f"Morning report for {NIGHT:%A} {NIGHT}")
    assert heading, printed
    return heading + rest.partition("\n[")[0].rstrip()


def received(layout: Layout) -> dict[str, int]:
    """How many messages the sinks have kept, by channel."""
    sinks = Sinks(layout.root / "sinks", smtp_port=0, push_url="")
    return {"email": len(sinks.mail_files()), "app_push": len(sinks.pushes())}


def log_times(layout: Layout) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in layout.logs.iterdir()}


def test_its_night_fills_every_table_reports_and_leaves_no_process(demo_house: DemoHouse) -> None:
    assert ours(demo_house.layout) == []
    for section in ("Decisions of the night", "Return on what was spent", "Where to look:"):
        assert section in report(demo_house.printed)
    with marketing(demo_house.layout) as engine, engine.connect() as connection:
        empty = [
            table.name
            for table in DATED_TABLES
            if not connection.execute(table.select().where(table.c.business_date == NIGHT).limit(1)).all()
        ]
    assert empty == []


def test_each_message_it_planned_is_sent_and_in_its_sink(demo_house: DemoHouse) -> None:
    by_state = text("select state, channel, count(*) from marketing.messages group by state, channel")
    with marketing(demo_house.layout) as engine, engine.connect() as connection:
        messages = {(state, channel): count for state, channel, count in connection.execute(by_state)}
    assert messages == {("sent", channel): count for channel, count in received(demo_house.layout).items()}
    assert min(messages.values()) > 0
    assert sum(messages.values()) > 20


def test_once_more_it_is_done_at_once_and_changes_nothing(demo_house: DemoHouse) -> None:
    layout = demo_house.layout
    with marketing(layout) as engine:
        held, logs = contents(engine), log_times(layout)
        began = time.monotonic()
        second = demo(layout)
        assert time.monotonic() - began < 20
        assert contents(engine) == held
    assert f"already done, kept as they are: {NIGHT}\n" in second
    assert report(second) == report(demo_house.printed)
    assert log_times(layout) == logs, "a program of Airflow was started"
    assert ours(layout) == []

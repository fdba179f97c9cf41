"""``make demo``: it runs once, is done ever after, and leaves the commands that follow a usable house."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from make_commands import ours, run
from sqlalchemy import Engine, create_engine, text
from table_contents import contents

from include.demo.first_run import Plan, run_demo
from include.demo.sinks import Sinks
from include.local import database
from include.local.layout import Layout
from include.local.progress import Progress

pytestmark = pytest.mark.e2e

PLAN = Plan.of(nights=1, households=150)
NIGHT = PLAN.nights[0]


def demo(layout: Layout) -> str:
    """What a run of the command prints."""
    output = io.StringIO()
    run_demo(layout, Progress(output), stay=False, plan=PLAN)
    return output.getvalue()


def report(printed: str) -> str:
    """From the morning report's heading to the next line with a clock."""
    _, heading, rest = printed.partition(f"Morning report for {NIGHT:%A} {NIGHT}")
    assert heading, printed
    return heading + rest.partition("\n[")[0].rstrip()


@contextmanager
def marketing(layout: Layout) -> Iterator[Engine]:
    with database.running_server(layout):
        engine = create_engine(database.embedded_url(layout))
        yield engine
        engine.dispose()


def received(layout: Layout) -> dict[str, int]:
    """How many messages the sinks have kept, by channel."""
    sinks = Sinks(layout.root / "sinks", smtp_port=0, push_url="")
    return {"email": len(sinks.mail_files()), "app_push": len(sinks.pushes())}


def log_times(layout: Layout) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in layout.logs.iterdir()}


def test_the_demo_once_and_again_and_then_a_night_without_data(tmp_path: Path) -> None:
    layout = Layout.at(tmp_path / "state")
    first = demo(layout)
    assert ours(layout) == []
    for section in ("Decisions of the night", "Return on what was spent", "Where to look:"):
        assert section in report(first)
    with marketing(layout) as engine:
        held = contents(engine)
        with engine.connect() as connection:
            by_state = text("select state, channel, count(*) from marketing.messages group by state, channel")
            messages = {(state, channel): count for state, channel, count in connection.execute(by_state)}
    assert messages == {("sent", channel): count for channel, count in received(layout).items()}
    assert min(messages.values()) > 0

    logs = log_times(layout)
    began = time.monotonic()
    second = demo(layout)
    assert time.monotonic() - began < 20
    assert f"already done, kept as they are: {NIGHT}\n" in second
    assert report(second) == report(first)
    assert log_times(layout) == logs, "a program of Airflow was started"
    assert ours(layout) == []
    with marketing(layout) as engine:
        assert contents(engine) == held

    night = run(layout, "night", "--date", "2017-12-25")
    assert night.returncode == 1
    task, cause, remedy = night.stderr.strip().splitlines()
    assert task == "nightly_marketing: the task check_data_quality failed."
    assert "events" in cause
    assert "2017-12-25" in cause
    assert remedy.startswith("Remedy: ")
    assert "Traceback" not in night.stdout
    assert ours(layout) == []

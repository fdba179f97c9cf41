"""The make commands' promise that nothing is left behind, on a real Airflow; seen by the process table."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from make_commands import AIRFLOW_SECONDS, begin, ours

from include.db import server
from include.local.layout import Layout, read_json
from include.local.services import is_healthy

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(AIRFLOW_SECONDS)]


@pytest.fixture(autouse=True)
def _hang_ups_are_heard() -> Iterator[None]:
    """Under nohup the commands would inherit its deafness, and rightly stay up."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout.at(tmp_path / "state")
    yield layout
    assert begin(layout, "stop").wait(60) == 0
    server.stop(layout.postgres)


def wait_for_airflow(layout: Layout, command: subprocess.Popen[str], seconds: float = 200) -> str:
    """The URL, once it is healthy."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert command.poll() is None, command.communicate()[0]
        record = read_json(layout.run / "airflow.json")
        if record and record["url"] and len(record["processes"]) == 3 and is_healthy(record["url"]):
            return str(record["url"])
        time.sleep(0.5)
    raise AssertionError("Airflow did not come up")


def test_nothing_is_left_of_a_command_that_ends_nor_of_one_that_was_killed(layout: Layout) -> None:
    web = begin(layout, "web")
    url = wait_for_airflow(layout, web)
    assert len(ours(layout)) > 5

    # A second one says who holds the place.
    second = begin(layout, "web")
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"`make web` is running over {layout.root} (process {web.pid})" in said

    # Ctrl-C, twice, as impatient people do.
    web.send_signal(signal.SIGINT)
    time.sleep(0.3)
    web.send_signal(signal.SIGINT)
    said, _ = web.communicate(timeout=60)
    assert web.returncode == 0
    assert f"Airflow's web UI:    {url}" in said
    assert layout.admin_password() in said
    assert ours(layout) == []

    killed = begin(layout, "web")
    wait_for_airflow(layout, killed)
    left_by_the_kill = len(ours(layout))
    killed.kill()
    killed.communicate(timeout=10)
    assert 5 < len(ours(layout)) < left_by_the_kill
    stop = begin(layout, "stop")
    stop.communicate(timeout=60)
    assert stop.returncode == 0
    assert ours(layout) == []


def test_a_signal_while_airflow_starts_leaves_nothing(layout: Layout) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        web = begin(layout, "web")
        deadline = time.monotonic() + 60
        while not (read_json(layout.run / "airflow.json") or {"processes": []})["processes"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        web.send_signal(number)
        said, _ = web.communicate(timeout=60)
        assert web.returncode == 128 + number, said
        assert ours(layout) == []

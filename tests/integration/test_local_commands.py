"""The make commands' promise that nothing is left behind, on a real Airflow; seen by the process table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from include.db import server
from include.local.layout import Layout, read_json
from include.local.processes import ProcessRecord, members
from include.local.services import is_healthy
from include.settings import PROJECT_ROOT

pytestmark = pytest.mark.e2e


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
    assert local(layout, "stop").wait(60) == 0
    server.stop(layout.postgres)


def local(layout: Layout, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHTER_")}
    return subprocess.Popen(
        [sys.executable, "-m", "include.local", "--state", str(layout.root), *arguments],
        cwd=PROJECT_ROOT, env=environment, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


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


def ours(layout: Layout) -> list[str]:
    """Command lines of living processes that name the state directory or belong to a recorded session."""
    record = read_json(layout.run / "airflow.json") or {"processes": []}
    in_sessions = {process.pid for entry in record["processes"] for process in members(ProcessRecord.read(entry))}
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        inside = str(layout.root) in line or (process.info["cwd"] or "").startswith(str(layout.root))
        if (inside or process.pid in in_sessions) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid} {line}")
    return found


def test_nothing_is_left_of_a_command_that_ends_nor_of_one_that_was_killed(layout: Layout) -> None:
    web = local(layout, "web")
    url = wait_for_airflow(layout, web)
    assert len(ours(layout)) > 5

    # A second one says who holds the place.
    second = local(layout, "web")
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

    killed = local(layout, "web")
    wait_for_airflow(layout, killed)
    left_by_the_kill = len(ours(layout))
    killed.kill()
    killed.communicate(timeout=10)
    assert 5 < len(ours(layout)) < left_by_the_kill
    stop = local(layout, "stop")
    stop.communicate(timeout=60)
    assert stop.returncode == 0
    assert ours(layout) == []


def test_a_signal_while_airflow_starts_leaves_nothing(layout: Layout) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        web = local(layout, "web")
        deadline = time.monotonic() + 60
        while not (read_json(layout.run / "airflow.json") or {"processes": []})["processes"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        web.send_signal(number)
        said, _ = web.communicate(timeout=60)
        assert web.returncode == 128 + number, said
        assert ours(layout) == []

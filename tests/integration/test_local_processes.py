"""Sessions of processes are ended whole, and only when they are certainly ours. Seen by the process table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from include.local.layout import Layout
from include.local.processes import Started, members, stop_sessions
from include.local.services import end_orphans, write_record

FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # children inherit this
stubborn = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
own_group = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
print(stubborn.pid, own_group.pid, flush=True)
time.sleep(600)
"""
"""A leader and children that ignore SIGTERM, one of these in a process group of its own, as Airflow's tasks are."""


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def family(tmp_path: Path) -> Iterator[tuple[Started, list[int]]]:
    started = Started("family", [sys.executable, "-c", FAMILY], dict(os.environ), tmp_path, tmp_path / "log")
    wait_until(lambda: len(started.log.read_text().split()) == 2)
    children = [int(pid) for pid in started.log.read_text().split()]
    yield started, children
    for pid in (*children, started.record.pid):
        if lives(pid):
            os.kill(pid, signal.SIGKILL)
    started.popen.wait()


def test_a_session_is_ended_with_all_its_members(family: tuple[Started, list[int]]) -> None:
    started, children = family
    assert {process.pid for process in members(started.record)} == {started.record.pid, *children}
    assert stop_sessions([started.record], patience=0.5) == 3
    assert not any(map(lives, (started.record.pid, *children)))


def test_members_are_found_when_their_leader_was_killed(family: tuple[Started, list[int]]) -> None:
    started, children = family
    started.popen.kill()
    started.popen.wait()
    assert {process.pid for process in members(started.record)} == set(children)
    stop_sessions([started.record], patience=0.2)
    assert not any(map(lives, children))


def test_a_number_given_anew_is_left_alone(family: tuple[Started, list[int]], tmp_path: Path) -> None:
    started, children = family
    earlier = replace(started.record, started=started.record.started - 3600)
    assert stop_sessions([earlier], patience=0) == 0
    started.popen.kill()
    started.popen.wait()
    elsewhere = replace(started.record, directory="/")
    assert stop_sessions([elsewhere], patience=0) == 0
    assert all(map(lives, children))


def test_the_next_command_ends_what_a_killed_one_left(family: tuple[Started, list[int]], tmp_path: Path) -> None:
    started, children = family
    layout = Layout.at(tmp_path / "state")
    write_record(layout, {"command": "make web", "owner": 1, "url": None, "processes": [started.record.as_json()]})
    started.popen.kill()
    started.popen.wait()
    assert end_orphans(layout) == 2
    assert not any(map(lives, children))
    assert end_orphans(layout) == 0


def test_a_signal_during_a_start_waits_until_the_start_is_recorded() -> None:
    script = """
import os, signal
from include.local import stopping
stopping.install()
recorded = []
try:
    with stopping.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        recorded.append("started")
except stopping.Stopped as stopped:
    with stopping.uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
    print(recorded, stopped)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['started'] SIGTERM"

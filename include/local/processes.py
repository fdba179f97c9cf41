"""Processes in sessions of their own: started, recorded, and ended with everything they brought forth.

A session outlives its leader and its number is not given anew while a member lives, so the members of a recorded
session are found even when the leader was killed; children that move to process groups of their own (as Airflow's
tasks do) stay in it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

CLOCK_TOLERANCE = 1.0
"""Seconds two readings of one process's start may lie apart."""


@dataclass(frozen=True)
class ProcessRecord:
    """A session's leader; ``started`` (seconds since the epoch) tells it from a later process of the same number."""

    name: str
    pid: int
    started: float
    directory: str
    """Its working directory, which its children share: what proves that members without a leader are ours."""

    @classmethod
    def read(cls, content: dict[str, Any]) -> ProcessRecord:
        return cls(**content)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def start_time(pid: int) -> float | None:
    """When the process ``pid`` began; None when no such process lives."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int, started: float) -> bool:
    """Whether ``pid`` is still the process that began at ``started``."""
    now = start_time(pid)
    return now is not None and abs(now - started) <= CLOCK_TOLERANCE


class Started:
    """One process started by this command."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], directory: Path, log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self.popen = subprocess.Popen(  # noqa: S603 - a constant command
                command,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.record = ProcessRecord(name, self.popen.pid, psutil.Process(self.popen.pid).create_time(), str(directory))

    def exit_code(self) -> int | None:
        return self.popen.poll()

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def members(record: ProcessRecord) -> list[psutil.Process]:
    """The living processes of the record's session, provided that they are certainly its own.

    A leader of another start time means that the number was given anew: then none are. Without a leader, members
    count that began after it and work in its directory.
    """
    leader_started = start_time(record.pid)
    if leader_started is not None and abs(leader_started - record.started) > CLOCK_TOLERANCE:
        return []
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) != record.pid or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if leader_started is None and (
                process.create_time() < record.started - CLOCK_TOLERANCE or process.cwd() != record.directory
            ):
                continue
        except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or another user's, hence not ours
        found.append(process)
    return found


def stop_sessions(records: Iterable[ProcessRecord], *, patience: float) -> int:
    """End all members of the sessions: SIGTERM, up to ``patience`` seconds, then SIGKILL; returns how many there were.

    Returns only when none is left.
    """
    wanted = list(records)
    ended: set[int] = set()
    deadline = time.monotonic() + patience
    sent: set[int] = set()
    while living := [process for record in wanted for process in members(record)]:
        ended.update(process.pid for process in living)
        final = time.monotonic() > deadline
        for process in living:
            if final or process.pid not in sent:
                _signal(process, signal.SIGKILL if final else signal.SIGTERM)
                sent.add(process.pid)
        time.sleep(0.1)
    return len(ended)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)

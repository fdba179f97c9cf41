"""The make commands as processes over a state directory of the test's own, and what runs there."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from include.local.layout import Layout, read_json
from include.local.processes import ProcessRecord, members
from include.settings import ENVIRONMENT_PREFIX, PROJECT_ROOT

AIRFLOW_SECONDS = 1500
"""Until a test that runs nights through an Airflow counts as stuck: on busy cores one takes minutes."""


def begin(layout: Layout, *arguments: str) -> subprocess.Popen[str]:
    """``python -m include.local`` under way; both its streams are ``stdout``."""
    return subprocess.Popen(
        _command(layout, arguments), cwd=PROJECT_ROOT, env=_environment(), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def run(layout: Layout, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``python -m include.local`` to its end, with further environment variables."""
    return subprocess.run(
        _command(layout, arguments), cwd=PROJECT_ROOT, env=_environment() | variables, stdin=subprocess.DEVNULL,
        text=True, capture_output=True, check=False,
    )  # fmt: skip


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


def _command(layout: Layout, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "include.local", "--state", str(layout.root), *arguments]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}

"""Airflow's API server, scheduler and DAG processor as child processes of one command."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, inspect

from include.local import stopping
from include.local.environment import HOST, airflow_command
from include.local.layout import Layout, LockHeld, exclusive, is_held, read_json, write_json
from include.local.processes import ProcessRecord, Started, stop_sessions
from include.local.progress import Progress
from include.local.rest import AirflowClient, AirflowError, parse_instant

SERVICES: dict[str, list[str]] = {
    "api-server": ["api-server"],
    # The API server reads the task logs from the disk they share; no log server is needed.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
RUN_ONE_AT_A_TIME = ("nightly_marketing", "deliver_messages")
DAG_IDS = (*RUN_ONE_AT_A_TIME, "approve_campaigns")
PREFERRED_PORT = 8080
START_TIMEOUT = 180.0
STOP_PATIENCE = 3.0
"""Seconds from SIGTERM to SIGKILL. The API server is done at once, but its interpreter tidies up for long."""


class StartFailed(RuntimeError):
    """Airflow did not come up; the message says what was seen last."""


class OtherCommandRuns(RuntimeError):
    """Another command already runs Airflow over this state directory."""


def free_port(preferred: int = PREFERRED_PORT) -> int:
    """``preferred`` if nothing listens there, else any free port of the loopback."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("the kernel always has a free port")


@contextmanager
def sole_owner(layout: Layout, command: str) -> Iterator[None]:
    """This process alone may run Airflow over the state directory; what a killed predecessor left behind is ended.

    Raises OtherCommandRuns while another command lives.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(layout.run / "lock"))
        except LockHeld as error:
            known = running(layout)
            if known is None:
                raise OtherCommandRuns(f"another command begins or ends over {layout.root}: try again") from error
            raise OtherCommandRuns(
                f"`{known['command']}` is running over {layout.root} (process {known['owner']}); "
                "end it with Ctrl-C in its terminal, or with `make stop`"
            ) from error
        end_orphans(layout)
        write_record(layout, {"command": command, "owner": os.getpid(), "url": None, "processes": []})
        stack.callback((layout.run / "airflow.json").unlink, missing_ok=True)
        yield


def running(layout: Layout) -> dict[str, Any] | None:
    """The record of the command that runs Airflow now; None: none does."""
    return read_json(layout.run / "airflow.json") if is_held(layout.run / "lock") else None


def is_healthy(url: str) -> bool:
    """Whether the Airflow at ``url`` answers and its scheduler and DAG processor live."""
    client = AirflowClient(url, "")
    try:
        health = client.health()
    except (httpx.TransportError, AirflowError):
        return False
    finally:
        client.close()
    return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))


def write_record(layout: Layout, record: dict[str, Any]) -> None:
    write_json(layout.run / "airflow.json", record)


def end_orphans(layout: Layout) -> int:
    """End what a command that was killed left running, as its record tells; returns how many processes."""
    record = read_json(layout.run / "airflow.json")
    if record is None:
        return 0
    ended = stop_sessions(map(ProcessRecord.read, record["processes"]), patience=STOP_PATIENCE)
    (layout.run / "airflow.json").unlink()
    return ended


class LocalAirflow:
    """Airflow's processes; ``start`` brings them up, ``stop`` ends them and all their children.

    The caller holds ``sole_owner``. After ``start``, ``url`` and ``client`` are there.
    """

    def __init__(self, layout: Layout, command: str, environment: dict[str, str], progress: Progress) -> None:
        self.layout = layout
        self.command = command
        self.environment = environment
        self.progress = progress
        self.url = environment["AIRFLOW__API__BASE_URL"]
        self.client = AirflowClient(self.url, layout.admin_password())
        self._processes: list[Started] = []
        self._migration: Started | None = None

    @property
    def _mark(self) -> Path:
        """Says for which version of Airflow its tables were made."""
        return self.layout.airflow_home / "metadata-version"

    def begin_migration(self) -> None:
        """Begin to create or update Airflow's own tables; does nothing when they are current.

        It takes ten seconds of one core on first use: the caller may do other work before ``start``, which waits.
        """
        engine = create_engine(self.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        has_tables = inspect(engine).has_table("alembic_version")
        engine.dispose()
        if not has_tables or not self._mark.exists() or self._mark.read_text() != version("apache-airflow"):
            self.progress("Airflow: preparing its own tables")
            self._migration = self._start("db-migrate", [*airflow_command(), "db", "migrate"])

    def start(self) -> None:
        """Start all services and wait until they are healthy and have read the DAGs; raises StartFailed."""
        self._finish_migration()
        self.progress("Airflow: starting API server, scheduler and DAG processor")
        began = datetime.now(UTC)
        for name, arguments in SERVICES.items():
            self._start(name, [*airflow_command(), *arguments])
        self._wait(began)
        for dag_id in RUN_ONE_AT_A_TIME:
            for run_id in self.client.unfinished_runs(dag_id):
                # Its tasks ended with the Airflow that ran them, yet the run would hold up every later one.
                self.client.fail_run(dag_id, run_id)
        for dag_id in DAG_IDS:
            self.client.unpause(dag_id)

    def stop(self) -> None:
        """End every process of ours, whatever its state; signals do not disturb this."""
        with stopping.uninterrupted():
            if self._processes:
                self.progress("Airflow: stopping")
            self.client.close()
            stop_sessions(self.sessions(), patience=STOP_PATIENCE)
            for process in self._processes:
                process.popen.wait()
            self._processes.clear()

    def sessions(self) -> list[ProcessRecord]:
        """The services' sessions, by which all their processes are found."""
        return [process.record for process in self._processes]

    def check_alive(self) -> None:
        """Raise StartFailed when one of the services has ended by itself."""
        for process in self._processes:
            code = process.exit_code()
            if code is not None:
                raise StartFailed(
                    f"Airflow's {process.record.name} ended with exit code {code}; its last lines "
                    f"({process.log}):\n{process.last_lines()}"
                )

    def _start(self, name: str, command: list[str]) -> Started:
        with stopping.deferred():
            process = Started(
                name, command, self.environment, self.layout.airflow_home, self.layout.logs / f"{name}.log"
            )
            self._processes.append(process)
            self._record()
        return process

    def _finish_migration(self) -> None:
        if self._migration is None:
            return
        code = self._migration.popen.wait()
        self._processes.remove(self._migration)
        if code:
            raise StartFailed(
                f"`airflow db migrate` ended with exit code {code}; its last lines ({self._migration.log}):\n"
                f"{self._migration.last_lines()}"
            )
        self._migration = None
        self._mark.write_text(version("apache-airflow"))

    def _record(self) -> None:
        write_record(
            self.layout,
            {
                "command": self.command,
                "owner": os.getpid(),
                "url": self.url,
                "processes": [record.as_json() for record in self.sessions()],
            },
        )

    def _wait(self, began: datetime) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while missing := self._missing(began):
            self.check_alive()
            if time.monotonic() > deadline:
                raise StartFailed(f"Airflow is not up after {START_TIMEOUT:.0f} s: {missing}; see {self.layout.logs}")
            time.sleep(0.3)

    def _missing(self, began: datetime) -> str | None:
        """What Airflow still lacks to run a DAG; what an earlier start left in its tables does not count."""
        try:
            health = self.client.health()
            for service in ("scheduler", "dag_processor"):
                heartbeat = parse_instant(health[service][f"latest_{service}_heartbeat"])
                if heartbeat is None or heartbeat < began:
                    return f"no heartbeat of the {service}"
            for dag_id in DAG_IDS:
                if not self.client.is_read(dag_id, began):
                    if errors := self.client.import_errors(began):
                        raise StartFailed("DAG files cannot be read: " + "; ".join(errors))
                    return f"DAG {dag_id} is not read yet"
        except httpx.TransportError:
            return "the API server does not answer"
        except AirflowError as error:
            return str(error)
        return None

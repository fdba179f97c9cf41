"""docker-compose.yaml, held to its promises and run: the same commands with the same environment, as plain processes.

What containers bring is replaced one for one: host names by loopback ports, Postgres' port by its socket, container
paths by folders. Everything else is the file's own.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml
from make_commands import AIRFLOW_SECONDS
from sqlalchemy import create_engine, text

from include.db import server
from include.demo import landing_files
from include.demo.first_run import Plan
from include.demo.sinks import running_sinks
from include.local.processes import Started, stop_sessions
from include.local.progress import Progress
from include.local.rest import AirflowClient
from include.local.runs import run_dag
from include.settings import PROJECT_ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW_SERVICES = ["api-server", "scheduler", "dag-processor", "worker-1", "worker-2"]
PLAN = Plan.of(nights=1, households=150)
NIGHT = PLAN.nights[0]
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def example_variables() -> set[str]:
    lines = (PROJECT_ROOT / ".env.example").read_text().splitlines()
    return {match[1] for line in lines if (match := re.match(r"#?([A-Z_]+)=", line))}


def required_variables() -> set[str]:
    return {match[1] for value in all_values(COMPOSE) for match in VARIABLE.finditer(value) if match[2] == "?"}


def all_values(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from all_values(value)
    elif isinstance(node, list):
        for value in node:
            yield from all_values(value)
    elif isinstance(node, str):
        yield node


def test_no_secret_is_in_the_file_and_each_is_in_the_example() -> None:
    used = {match[1] for value in all_values(COMPOSE) for match in VARIABLE.finditer(value)}
    assert used == example_variables()
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY|TOKEN|AUTH$|CONN$|BROKER_URL|RESULT_BACKEND|DATABASE_URL", name):
                # What the bundled parts need is required; a relay's or gateway's secret may be empty.
                needed = r"\$\{\w+:-\}" if "DELIVERY" in name else r"\$\{\w+:\?"
                assert re.search(needed, value), f"{name} must come from .env"


def test_every_lasting_service_has_a_health_check_and_listens_to_this_machine_alone() -> None:
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name == "initialise", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_the_parts_of_a_team_installation_are_there() -> None:
    assert {"postgres", "redis", "mail", "initialise", *AIRFLOW_SERVICES} == set(SERVICES)
    for name in AIRFLOW_SERVICES:
        assert SERVICES[name]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert version("apache-airflow") == "3.3.2"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Team:
    """The services of docker-compose.yaml as processes below one folder."""

    folder: Path
    socket_directory: Path
    smtp_port: int
    push_url: str
    api_port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)
    started: list[Started] = field(default_factory=list)

    def __post_init__(self) -> None:
        from cryptography.fernet import Fernet

        self.dotenv = {name: secrets.token_urlsafe(24) for name in required_variables()}
        self.dotenv |= {
            "FERNET_KEY": Fernet.generate_key().decode(),
            "BUSINESS_TIME_ZONE": "America/New_York",
            "MAIL_SENDER": "Shop <news@example.com>",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp_port),
            "PUSH_URL": self.push_url,
        }

    def resolve(self, value: str, name: str) -> str:
        """Compose's interpolation, then loopback and folders for what containers would bring."""
        value = VARIABLE.sub(self._interpolated, value).replace("$$", "$")
        for database in ("airflow", "lamplighter"):
            value = value.replace(f"@postgres:5432/{database}", f"@/{database}?host={self.socket_directory}")
        return (
            value.replace("redis:6379", f"127.0.0.1:{self.redis_port}")
            .replace("api-server:8080", f"127.0.0.1:{self.api_port}")
            .replace("localhost:8080", f"127.0.0.1:{self.api_port}")
            .replace("/opt/lamplighter", str(PROJECT_ROOT))
            .replace("/opt/airflow/logs", str(self.folder / "logs"))
            .replace("/opt/airflow", str(self.folder / "homes" / name))
            .replace("/data/", f"{self.folder / 'data'}/")
        )

    def _interpolated(self, match: re.Match[str]) -> str:
        variable, kind, default = match[1], match[2], match[3]
        if variable in self.dotenv:
            return self.dotenv[variable]
        assert kind == "-", f"{variable} is required"
        return default or ""

    def environment(self, name: str) -> dict[str, str]:
        declared = {key: self.resolve(str(value), name) for key, value in SERVICES[name]["environment"].items()}
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "HOSTNAME": SERVICES[name].get("hostname", name),
            # The container's own port and address are free by construction; on this machine they may not be.
            "AIRFLOW__API__PORT": str(self.api_port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            **declared,
        }

    def command(self, name: str) -> list[str]:
        command = [self.resolve(part, name) for part in SERVICES[name]["command"]]
        if name == "redis":  # a container has its address and port to itself
            command[-1] += f" --port {self.redis_port} --bind 127.0.0.1"
        return command

    def start(self, name: str) -> Started:
        (self.folder / "homes" / name).mkdir(parents=True, exist_ok=True)
        environment = self.environment(name)
        process = Started(name, self.command(name), environment, self.folder, self.log(name))
        self.started.append(process)
        return process

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def check(self, name: str) -> bool:
        """The service's own health check."""
        kind, *test = SERVICES[name]["healthcheck"]["test"]
        command = ["bash", "-c", *test] if kind == "CMD-SHELL" else test
        completed = subprocess.run(
            [self.resolve(part, name) for part in command],
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return completed.returncode == 0

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            for process in self.started:
                assert process.exit_code() is None, f"{process.record.name} ended:\n{process.last_lines()}"
            assert time.monotonic() < deadline, f"{what} after {seconds} s"
            time.sleep(0.5)

    def stop(self) -> None:
        stop_sessions([process.record for process in self.started], patience=10)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    data_directory = tmp_path / "postgres"
    with ExitStack() as stack:
        stack.callback(server.stop, data_directory)
        server.start(data_directory)
        sinks = stack.enter_context(running_sinks(tmp_path / "sinks"))
        administration = server.ensure_database(data_directory, "airflow")
        server.ensure_database(data_directory, "lamplighter")
        engine = create_engine(administration, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("create role lamplighter superuser login"))
        engine.dispose()
        socket_directory = Path((data_directory / "postmaster.pid").read_text().splitlines()[4].strip())
        team = Team(tmp_path, socket_directory, sinks.smtp_port, sinks.push_url)
        stack.callback(team.stop)
        yield team


def start_redis(team: Team) -> None:
    assert shutil.which("redis-server"), "redis-server is missing; `make test` installs it"
    team.start("redis")

    def answers() -> bool:
        try:
            with redis.Redis(port=team.redis_port, password=team.dotenv["REDIS_PASSWORD"], socket_timeout=2) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    team.wait_for("Redis does not answer", answers, 20)


def initialise(team: Team) -> None:
    process = team.start("initialise")
    assert process.popen.wait(timeout=180) == 0, process.last_lines(40)
    team.started.remove(process)


def api_is_up(team: Team) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{team.api_port}/api/v2/version", trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.mark.e2e
@pytest.mark.timeout(AIRFLOW_SECONDS)
def test_a_night_through_celery_and_two_workers(team: Team) -> None:
    start_redis(team)
    initialise(team)
    initialise(team)  # `docker compose up` runs it at every start
    landing = team.environment("worker-1")["LAMPLIGHTER_LANDING"]
    landing_files.write_history(landing, PLAN.journey)
    landing_files.write_day(landing, PLAN.journey, NIGHT)
    for name in AIRFLOW_SERVICES:
        team.start(name)
    team.wait_for("the API server does not answer", lambda: api_is_up(team))

    with AirflowClient(f"http://127.0.0.1:{team.api_port}", team.dotenv["ADMIN_PASSWORD"]) as client:
        team.wait_for("nightly_marketing is not read", lambda: _knows(client, "nightly_marketing"))
        for name in AIRFLOW_SERVICES:
            team.wait_for(f"the health check of {name} fails", lambda name=name: team.check(name), 60)
        client.unpause("nightly_marketing")
        run_dag(client, "nightly_marketing", {"business_date": NIGHT.isoformat()}, Progress())

    assert workers_used(team) == {"worker-1", "worker-2"}
    stop_sessions([process.record for process in team.started if process.record.name == "worker-2"], patience=10)
    assert team.check("worker-1")
    assert not team.check("worker-2"), "a worker's health check must not be answered by the other"
    counts = marketing_counts(team, ("events", "recommendations", "message_decisions", "messages", "campaign_results"))
    assert all(counts.values()), counts


def _knows(client: AirflowClient, dag_id: str) -> bool:
    return client.is_read(dag_id, datetime(2000, 1, 1, tzinfo=UTC))


def workers_used(team: Team) -> set[str]:
    """The Celery workers whose log says that they finished a task."""
    return {name for name in ("worker-1", "worker-2") if re.search(r"succeeded in [\d.]+s", team.log(name).read_text())}


def marketing_counts(team: Team, tables: tuple[str, ...]) -> dict[str, int]:
    engine = create_engine(team.environment("worker-1")["LAMPLIGHTER_DATABASE_URL"])
    with engine.connect() as connection:
        counts = {
            table: connection.execute(text(f"select count(*) from marketing.{table}")).scalar_one() for table in tables
        }
    engine.dispose()
    return counts

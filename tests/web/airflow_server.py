"""A real Airflow API server over given databases, for the length of a ``with`` block."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from include.settings import PROJECT_ROOT

PASSWORDS = {"ada": "lovelace", "nobody": "at-all"}
USERS = "ada:viewer,nobody:"
"""A viewer may read DAGs; a user without a role may log in and no more."""


@dataclass(frozen=True)
class AirflowServer:
    url: str

    def token(self, username: str) -> str:
        answer = httpx.post(
            f"{self.url}/auth/token", json={"username": username, "password": PASSWORDS[username]}, timeout=30
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token


@contextmanager
def airflow_server(folder: Path, metadata_url: str, marketing_url: str) -> Iterator[AirflowServer]:
    """Started with the project's plugins on a free port; ended with all its children."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = _environment(folder, url, metadata_url, marketing_url)
    log = folder / "api-server.log"
    with log.open("w") as output:
        subprocess.run(["airflow", "db", "migrate"], env=environment, check=True, stdout=output, stderr=output)
        process = subprocess.Popen(
            ["airflow", "api-server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--workers", "1"],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_up(url, process, log)
            yield AirflowServer(url)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # nothing to save, and a graceful end takes seconds
            process.wait(timeout=30)


def _environment(folder: Path, url: str, metadata_url: str, marketing_url: str) -> dict[str, str]:
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps(PASSWORDS))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "LAMPLIGHTER"))}
    return inherited | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API_AUTH__JWT_SECRET": "of this test alone, and long enough to sign with HS512: 0123456789abcdefghij",
        "LAMPLIGHTER_DATABASE_URL": marketing_url,
        "LAMPLIGHTER_ARTIFACTS": str(folder / "artifacts"),
        "LAMPLIGHTER_BUSINESS_TIME_ZONE": "America/New_York",
        "PYTHONPATH": str(PROJECT_ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/api/v2/version", timeout=2)
            return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(f"Airflow's API server did not come up:\n{log.read_text()[-4000:]}")

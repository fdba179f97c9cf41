"""Airflow's REST API, as far as the local commands need it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx

ADMIN = "admin"


class AirflowError(RuntimeError):
    """The API refused a request; the message says which and why."""


@dataclass(frozen=True)
class TaskRun:
    """One task instance as it stands now."""

    instance_id: str
    """What the title of its process names."""
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    seconds: float | None

    @property
    def name(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowClient:
    """A session with the API server at ``url``, as the user admin.

    Raises AirflowError on a refused request and httpx.TransportError when the server cannot be reached.
    """

    def __init__(self, url: str, password: str) -> None:
        self._password = password
        # Proxies of the environment are meant for other hosts than this one.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> dict[str, Any]:
        """Statuses of metadata database, scheduler and DAG processor; needs no login."""
        return self._json(self._http.get("/api/v2/monitor/health"))

    def is_read(self, dag_id: str, since: datetime) -> bool:
        """Whether the DAG's file was read at ``since`` or later."""
        answer = self._request("GET", f"/dags/{dag_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return False
        read_at = parse_instant(self._json(answer)["last_parsed_time"])
        return read_at is not None and read_at >= since

    def import_errors(self, since: datetime) -> list[str]:
        """Each DAG file that could not be read at ``since`` or later, with the last line of its traceback."""
        return [
            f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}"
            for error in self._demand("GET", "/importErrors")["import_errors"]
            if (parse_instant(error["timestamp"]) or since) >= since
        ]

    def unpause(self, dag_id: str) -> None:
        self._demand("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run outside any schedule; returns its id."""
        return str(
            self._demand("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})["dag_run_id"]
        )

    def unfinished_runs(self, dag_id: str) -> list[str]:
        query = {"state": ["queued", "running"], "limit": 100}
        return [run["dag_run_id"] for run in self._demand("GET", f"/dags/{dag_id}/dagRuns", params=query)["dag_runs"]]

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, so that it no longer holds up the next."""
        self._demand("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self._demand("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_runs(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """The run's task instances in order of their start, those not yet started last."""
        found = self._demand("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1000})
        rows = sorted(found["task_instances"], key=lambda row: row["start_date"] or "9999")
        return [
            TaskRun(row["id"], row["task_id"], row["map_index"], row["state"], row["try_number"], row["duration"])
            for row in rows
        ]

    def last_error(self, dag_id: str, run_id: str, task: TaskRun) -> str | None:
        """The last error in the log of a task's latest try: the exception's message if it holds one."""
        log = self._demand(
            "GET",
            f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}",
            params={"map_index": task.map_index, "full_content": True},
            headers={"Accept": "application/json"},
        )
        return last_error_of(log["content"])

    def _login(self) -> str:
        answer = self._http.post("/auth/token", json={"username": ADMIN, "password": self._password})
        return str(self._json(answer)["access_token"])

    def _demand(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        return self._json(self._request(method, path, **arguments))

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        self._token = self._token or self._login()
        headers = {"Authorization": f"Bearer {self._token}"} | arguments.pop("headers", {})
        return self._http.request(method, f"/api/v2{path}", headers=headers, **arguments)

    @staticmethod
    def _json(answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            request = answer.request
            raise AirflowError(f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:500]}")
        content: dict[str, Any] = answer.json()
        return content


def last_error_of(content: list[Any]) -> str | None:
    """The last error among a log's entries: ``ExceptionName: its message``, or the entry's own text, if any."""
    for entry in reversed(content):
        if not isinstance(entry, dict):
            continue
        for detail in reversed(entry.get("error_detail") or []):
            return f"{detail['exc_type']}: {detail['exc_value']}"
        if entry.get("level") in ("error", "critical"):
            return str(entry["event"])
    return None


def parse_instant(text: str | None) -> datetime | None:
    """An instant as the API writes it."""
    return datetime.fromisoformat(text) if text else None

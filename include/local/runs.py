"""One DAG run from its trigger to its end, with a line for every task."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx

from include.local.progress import Progress
from include.local.rest import AirflowClient, TaskRun

POLL_SECONDS = 0.7
SILENCE_SECONDS = 60.0


class RunFailed(RuntimeError):
    """A run ended in failure; the message names task, cause and remedy."""


def run_dag(
    client: AirflowClient,
    dag_id: str,
    conf: dict[str, Any],
    progress: Progress,
    check: Callable[[], None] = lambda: None,
) -> float:
    """Trigger ``dag_id`` with ``conf`` and wait for its end; returns the seconds it took.

    check: called at every look; raises when Airflow itself is gone. Raises RunFailed when the run failed.
    """
    began = time.monotonic()
    run_id = client.trigger(dag_id, conf)
    told = _Told(progress)
    answered = began
    while True:
        check()
        try:
            state = client.run_state(dag_id, run_id)
            tasks = client.task_runs(dag_id, run_id)
        except httpx.TransportError as error:
            # A busy machine may let one look pass without an answer.
            if time.monotonic() - answered > SILENCE_SECONDS:
                raise RunFailed(f"Airflow does not answer any more ({error}); did its command end?") from error
            time.sleep(POLL_SECONDS)
            continue
        answered = time.monotonic()
        told.tell(tasks)
        if state in ("success", "failed"):
            break
        time.sleep(POLL_SECONDS)
    if state == "failed":
        raise RunFailed(_explanation(client, dag_id, run_id, tasks))
    return time.monotonic() - began


class _Told:
    """Says each finished task once: mapped shards as one line, a retry as it comes."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.said: set[tuple[str, str]] = set()

    def tell(self, tasks: list[TaskRun]) -> None:
        groups: dict[str, list[TaskRun]] = defaultdict(list)
        for task in tasks:
            groups[task.task_id].append(task)
            if task.state == "up_for_retry":
                self._once(
                    task.name, f"try {task.try_number}", f"{task.name}: try {task.try_number} failed, will be retried"
                )
        for task_id, group in groups.items():
            if all(task.state == "success" for task in group):
                shards = f" ({len(group)} shards)" if group[0].map_index >= 0 else ""
                seconds = sum(task.seconds or 0 for task in group)
                self._once(task_id, "success", f"  {task_id}{shards}: {seconds:.1f} s")

    def _once(self, name: str, what: str, message: str) -> None:
        if (name, what) not in self.said:
            self.said.add((name, what))
            self.progress(message)


def _explanation(client: AirflowClient, dag_id: str, run_id: str, tasks: list[TaskRun]) -> str:
    failed = [task for task in tasks if task.state == "failed"]
    if not failed:
        return f"{dag_id} failed without a failed task: it ran out of time or was marked by hand (run {run_id})"
    task = failed[0]
    cause = client.last_error(dag_id, run_id, task) or "its log holds no error: the process may have been killed"
    return (
        f"{dag_id}: the task {task.name} failed.\n"
        f"  {cause}\n"
        f"Remedy: mend what the line names, then run the same date again; a repeat is safe. The whole log: "
        f"`make web`, DAG {dag_id}, run {run_id}."
    )

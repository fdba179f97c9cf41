"""The demo's night again through a real scheduler, over a house in use: to the same tables, even when killed."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import psutil
import pytest
from demo_house import NIGHT, SEND_DATE, DemoHouse
from make_commands import AIRFLOW_SECONDS, ours
from sqlalchemy import Connection, Engine, text
from table_contents import Contents, contents

from include.db.engine import make_engine
from include.demo.first_run import delivery_hours, sink_variables
from include.demo.sinks import Sinks, running_sinks
from include.local import commands
from include.local.processes import members
from include.local.progress import Progress
from include.local.rest import AirflowClient
from include.local.runs import run_dag
from include.local.services import LocalAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(AIRFLOW_SECONDS)]

KILLED = (("train_recommender", 1, "models"), ("generate_recommendations", 2, "recommendation_drafts"))
"""Tasks of the night in their order, the processes each has, and the table they write."""


@dataclass
class World:
    airflow: LocalAirflow
    engine: Engine
    sinks: Sinks
    progress: Progress

    def said(self) -> str:
        """All progress lines so far."""
        assert isinstance(self.progress.stream, io.StringIO)
        return self.progress.stream.getvalue()

    def night(self) -> float:
        conf = {"business_date": NIGHT.isoformat()}
        return run_dag(self.airflow.client, "nightly_marketing", conf, self.progress, self.airflow.check_alive)

    def deliver(self) -> float:
        return run_dag(
            self.airflow.client, "deliver_messages", delivery_hours(SEND_DATE), self.progress, self.airflow.check_alive
        )


@pytest.fixture(scope="module")
def world(demo_house: DemoHouse) -> Iterator[World]:
    layout, progress = demo_house.layout, Progress(io.StringIO())
    with (
        commands.prepared_house(layout, "test", progress) as local,
        running_sinks(layout.root / "sinks") as sinks,
        commands.airflow_over(layout, "test", local, progress, sink_variables(sinks)) as airflow,
    ):
        airflow.start()
        engine = make_engine(local.settings)
        yield World(airflow, engine, sinks, progress)
        engine.dispose()
    assert ours(layout) == [], "left behind"


@pytest.fixture(scope="module")
def first_night(world: World) -> Contents:
    """What the tables hold of the first run, and of what landed since."""
    return contents(world.engine)


def test_the_same_night_again_gives_the_same_tables(world: World, first_night: Contents) -> None:
    world.night()
    assert contents(world.engine) == first_night


def test_tasks_killed_as_they_write_are_retried_and_the_night_ends_the_same(
    world: World, first_night: Contents
) -> None:
    killed = []
    night: Future[float] | None = None
    with ThreadPoolExecutor(1) as pool:
        for task_id, processes, table in KILLED:
            with world.engine.begin() as connection:
                # Whoever writes the table now waits, which leaves time to kill it there.
                connection.execute(text(f"lock table marketing.{table} in exclusive mode"))
                night = night or pool.submit(world.night)
                while writers_waiting(connection, table) < processes:
                    assert not night.done(), night.exception() or f"nobody waited to write {table}"
                    time.sleep(0.1)
                killed.append(kill_one(world, task_id))
    assert night is not None
    night.result()
    for name in killed:
        assert f"{name}: try 1 failed, will be retried" in world.said()
    assert contents(world.engine) == first_night


def writers_waiting(connection: Connection, table: str) -> int:
    statement = text("select count(*) from pg_locks where relation = cast(:table as regclass) and not granted")
    return int(connection.execute(statement, {"table": f"marketing.{table}"}).scalar_one())


def kill_one(world: World, task_id: str) -> str:
    """SIGKILL one process that runs ``task_id``, found by the title that Airflow gives it; the task's name."""
    dag_id = "nightly_marketing"
    with AirflowClient(world.airflow.url, world.airflow.layout.admin_password()) as client:
        tasks = [task for run in client.unfinished_runs(dag_id) for task in client.task_runs(dag_id, run)]
    names = {f"airflow worker -- {task.instance_id}": task.name for task in tasks if task.task_id == task_id}
    [scheduler] = [record for record in world.airflow.sessions() if record.name == "scheduler"]
    for process in members(scheduler):
        with suppress(psutil.NoSuchProcess):
            title = next(iter(process.cmdline()), "")
            if title in names:
                process.send_signal(signal.SIGKILL)
                return names[title]
    raise AssertionError(f"no process runs {task_id}")


def test_delivery_again_sends_nothing_a_second_time(world: World, first_night: Contents) -> None:
    received = len(world.sinks.mail_files()), len(world.sinks.pushes())
    world.deliver()
    assert (len(world.sinks.mail_files()), len(world.sinks.pushes())) == received
    assert contents(world.engine)["messages"] == first_night["messages"]

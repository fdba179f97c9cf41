"""One night through a real scheduler on a slice of the real purchases: to the mailbox, three times over, and killed."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

import psutil
import pytest
from make_commands import ours
from sqlalchemy import Connection, Engine, text
from table_contents import Contents, contents

from include.db.engine import make_engine
from include.db.tables import DATED_TABLES, LANDING_TABLES
from include.demo import landing_files
from include.demo.first_run import SETTINGS_FILE, Plan, delivery_hours, is_done, land_reactions, sink_variables
from include.demo.sinks import Sinks, running_sinks
from include.local import commands
from include.local.layout import Layout
from include.local.processes import members
from include.local.progress import Progress
from include.local.rest import AirflowClient
from include.local.runs import RunFailed, run_dag
from include.local.services import LocalAirflow
from include.settings import Settings

pytestmark = pytest.mark.e2e

PLAN = Plan.of(nights=1, households=150)
NIGHT = PLAN.nights[0]
SEND_DATE = NIGHT + timedelta(days=1)
LOADED_BEFORE_THE_GATE = {*LANDING_TABLES, "changed_event_days", "landing_files", "quarantined_rows", "suppressions"}
KILLED = (("train_recommender", 1, "models"), ("generate_recommendations", 2, "recommendation_drafts"))
"""Tasks of the night in their order, the processes each has, and the table they write."""


@dataclass
class World:
    airflow: LocalAirflow
    engine: Engine
    settings: Settings
    sinks: Sinks
    progress: Progress

    def said(self) -> str:
        """All progress lines so far."""
        assert isinstance(self.progress.stream, io.StringIO)
        return self.progress.stream.getvalue()

    def night(self, business_date: date = NIGHT) -> float:
        conf = {"business_date": business_date.isoformat()}
        return run_dag(self.airflow.client, "nightly_marketing", conf, self.progress, self.airflow.check_alive)

    def deliver(self) -> float:
        return run_dag(
            self.airflow.client, "deliver_messages", delivery_hours(SEND_DATE), self.progress, self.airflow.check_alive
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    layout = Layout.at(tmp_path_factory.mktemp("night"))
    progress = Progress(io.StringIO())
    with (
        commands.prepared_house(layout, "test", progress, SETTINGS_FILE) as local,
        running_sinks(layout.root / "sinks") as sinks,
        commands.airflow_over(layout, "test", local, progress, sink_variables(sinks)) as airflow,
    ):
        landing_files.write_history(local.settings.landing, PLAN.journey)
        landing_files.write_day(local.settings.landing, PLAN.journey, NIGHT)
        airflow.start()
        engine = make_engine(local.settings)
        yield World(airflow, engine, local.settings, sinks, progress)
        engine.dispose()
    assert ours(layout) == [], "left behind"


@pytest.fixture(scope="module")
def first_night(world: World) -> Contents:
    """What the tables hold after the first run."""
    world.night()
    return contents(world.engine)


def test_every_dated_table_has_rows_of_the_night(world: World, first_night: Contents) -> None:
    with world.engine.connect() as connection:
        empty = [
            table.name
            for table in DATED_TABLES
            if not connection.execute(table.select().where(table.c.business_date == NIGHT).limit(1)).all()
        ]
    assert empty == []


def test_the_same_night_twice_more_gives_the_same_tables(world: World, first_night: Contents) -> None:
    for _ in range(2):
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


def test_each_message_reaches_its_sink_once_however_often_delivery_runs(world: World, first_night: Contents) -> None:
    with world.engine.connect() as connection:
        planned = connection.execute(
            text("select count(*) from marketing.messages where send_date = :day"), {"day": SEND_DATE}
        ).scalar_one()
    assert planned > 20
    world.deliver()
    world.deliver()
    with world.engine.connect() as connection:
        states = dict(
            connection.execute(
                text("select channel, count(*) from marketing.messages where state = 'sent' group by channel")
            ).all()
        )
    assert sum(states.values()) == planned
    assert len(world.sinks.mail_files()) == states["email"]
    assert len(world.sinks.pushes()) == states["app_push"]
    sent, engagements, _ = land_reactions(world.engine, world.settings, SEND_DATE)
    assert sent == planned
    assert engagements >= planned * 0.9
    assert is_done(world.engine, world.settings, NIGHT)


def test_the_gate_stops_a_night_without_data_and_leaves_what_was_made(world: World, first_night: Contents) -> None:
    before = contents(world.engine)
    with pytest.raises(RunFailed, match="check_data_quality failed"):
        world.night(date(2017, 12, 25))
    after = contents(world.engine)
    changed = {name for name in after if after[name] != before[name]}
    assert "quality_results" in changed
    assert changed <= LOADED_BEFORE_THE_GATE | {"quality_results", "quality_failures"}

"""One night through a real scheduler on a slice of the real purchases: to the mailbox, three times over, and killed."""

from __future__ import annotations

import hashlib
import io
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

import psutil
import pytest
from sqlalchemy import Connection, Engine, Table, text

from include.db.engine import make_engine
from include.db.tables import DATED_TABLES
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
        records = airflow.sessions()
    assert [process for record in records for process in members(record)] == [], "left behind"


@pytest.fixture(scope="module")
def first_night(world: World) -> dict[str, str]:
    """Hashes of the dated tables after the first run."""
    world.night()
    return hashes(world.engine)


def hashes(engine: Engine) -> dict[str, str]:
    """Of every dated table, its rows of the night in the order of their keys, and of the night's messages."""
    with engine.connect() as connection:
        return {table.name: _hash(connection, table) for table in DATED_TABLES} | {
            "messages": _digest(
                connection.execute(
                    text(
                        "select message_id, campaign_id, customer_id, channel, send_at, not_after, content, cost"
                        " from marketing.messages where business_date = :night order by message_id"
                    ),
                    {"night": NIGHT},
                ).all()
            )
        }


def _hash(connection: Connection, table: Table) -> str:
    return _digest(
        connection.execute(table.select().where(table.c.business_date == NIGHT).order_by(*table.primary_key)).all()
    )


def _digest(rows: object) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def test_every_dated_table_has_rows_of_the_night(world: World, first_night: dict[str, str]) -> None:
    with world.engine.connect() as connection:
        empty = [
            table.name
            for table in DATED_TABLES
            if not connection.execute(table.select().where(table.c.business_date == NIGHT).limit(1)).all()
        ]
    assert empty == []


def test_the_same_night_twice_more_gives_the_same_tables(world: World, first_night: dict[str, str]) -> None:
    for _ in range(2):
        world.night()
        assert hashes(world.engine) == first_night


def test_a_killed_task_is_retried_and_the_night_ends_the_same(world: World, first_night: dict[str, str]) -> None:
    killed: list[str] = []
    stop = threading.Event()
    killer = threading.Thread(target=kill_one_task, args=(world, "train_recommender", killed, stop))
    killer.start()
    try:
        world.night()
    finally:
        stop.set()
        killer.join()
    assert killed, "no process of the task was seen"
    assert "train_recommender: try 1 failed, will be retried" in world.said()
    assert hashes(world.engine) == first_night


def kill_one_task(world: World, task_id: str, killed: list[str], stop: threading.Event) -> None:
    """SIGKILL the process that runs ``task_id`` once it is at work, found by the title that Airflow gives it."""
    [scheduler] = [record for record in world.airflow.sessions() if record.name == "scheduler"]
    dag_id = "nightly_marketing"
    with AirflowClient(world.airflow.url, world.airflow.layout.admin_password()) as client:
        while not stop.wait(0.2):
            tasks = [task for run in client.unfinished_runs(dag_id) for task in client.task_runs(dag_id, run)]
            titles = [f"airflow worker -- {task.instance_id}" for task in tasks if task.task_id == task_id]
            for process in members(scheduler):
                with suppress(psutil.NoSuchProcess):
                    if process.cmdline()[:1] == titles:
                        # Well inside the task by now, which takes seconds.
                        time.sleep(0.5)
                        process.send_signal(signal.SIGKILL)
                        killed.append(titles[0])
                        return


def test_each_message_reaches_its_sink_once_however_often_delivery_runs(
    world: World, first_night: dict[str, str]
) -> None:
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


def test_a_night_without_data_fails_with_one_readable_line(world: World, first_night: dict[str, str]) -> None:
    empty_day = date(2017, 12, 25)
    with pytest.raises(RunFailed, match="check_data_quality failed") as failure:
        world.night(empty_day)
    cause = str(failure.value).splitlines()[1]
    assert "events" in cause
    assert "2017-12-25" in cause

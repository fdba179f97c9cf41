"""A night with three campaigns that require approval, through a real scheduler: one approved, one refused, one left."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from make_commands import AIRFLOW_SECONDS, ours
from sqlalchemy import Engine, create_engine, insert, text

from include.db import tables
from include.db.engine import make_engine
from include.local import commands, database
from include.local.layout import Layout
from include.local.progress import Progress
from include.local.services import LocalAirflow
from include.scheduling.answers import ask_about_plan
from include.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(AIRFLOW_SECONDS)]

NIGHT = date(2017, 11, 30)
NINE = datetime(2017, 12, 1, 14, tzinfo=UTC)
CAMPAIGNS = ("approved", "refused", "unanswered")
PEOPLE = 3
BEFORE_THE_QUESTION = (
    *("load_landing_files", "check_data_quality", "build_features", "train_recommender", "learn_send_times"),
    *("publish_recommendations", "schedule_messages", "compute_reports"),
)
"""Tasks of the night whose work is done here by hand."""


@dataclass
class World:
    airflow: LocalAirflow
    engine: Engine
    metadata: Engine
    """Airflow's own tables."""
    settings: Settings

    def ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.airflow.client._demand(method, path, **arguments)
        return answer

    def questions(self) -> dict[str, dict[str, Any]]:
        """Open questions by the campaign their subject names."""
        path = "/dags/approve_campaigns/dagRuns/~/hitlDetails"
        found = self.ask("GET", path, params={"response_received": False})["hitl_details"]
        waiting = [one for one in found if self.is_parked(one["task_instance"])]
        return {name: one for one in waiting for name in CAMPAIGNS if f"“{name}”" in one["subject"]}

    def is_parked(self, task: dict[str, Any]) -> bool:
        """Whether the scheduler knows that the process that asked has ended.

        An answer within the moments before, far faster than a person's, makes Airflow 3.3 take the process that goes
        on for the one that asked, and ask again.
        """
        log = (self.airflow.layout.logs / "scheduler.log").read_text()
        ended = re.compile(
            rf"executor event with state success .*task_id='ask', run_id='{re.escape(task['dag_run_id'])}'"
        )
        return task["state"] == "awaiting_input" and ended.search(log) is not None

    def answer(self, question: dict[str, Any], option: str) -> None:
        task = question["task_instance"]
        self.ask(
            "PATCH",
            f"/dags/approve_campaigns/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
            f"/{task['map_index']}/hitlDetails",
            json={"chosen_options": [option], "params_input": {}},
        )

    def let_the_time_pass(self, question: dict[str, Any]) -> None:
        """Now is when the question's hours are over, as far as Airflow knows."""
        key = {"id": question["task_instance"]["id"]}
        with self.metadata.begin() as connection:
            until = connection.execute(
                text("select trigger_timeout from task_instance where id = :id"), key
            ).scalar_one()
            hours = (until - datetime.fromisoformat(question["created_at"])).total_seconds() / 3600
            assert hours == pytest.approx(self.settings.scheduling.approval_hours, abs=0.05)
            connection.execute(text("update task_instance set trigger_timeout = now() where id = :id"), key)

    def states(self) -> dict[str, tuple[str, str]]:
        """Campaign: the state of its messages, the status of its approval."""
        rows = self._rows(
            "select distinct m.campaign_id, m.state, a.status from marketing.messages as m"
            " left join marketing.campaign_approvals as a using (business_date, campaign_id)"
        )
        assert len(rows) == len(CAMPAIGNS), rows
        return {row.campaign_id: (row.state, row.status) for row in rows}

    def approvals(self) -> list[str]:
        """States of all runs of approve_campaigns."""
        return [run["state"] for run in self.ask("GET", "/dags/approve_campaigns/dagRuns")["dag_runs"]]

    def answered_by(self) -> dict[str, str | None]:
        return {
            row.campaign_id: row.answered_by
            for row in self._rows("select campaign_id, answered_by from marketing.campaign_approvals")
        }

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not self._holds(condition):
            self.airflow.check_alive()
            assert time.monotonic() < deadline, f"{what} after {seconds:.0f} s: {self.states()}"
            time.sleep(0.3)

    @staticmethod
    def _holds(condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except httpx.TransportError:  # a busy machine may let one look pass without an answer
            return False

    def _rows(self, statement: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    layout = Layout.at(tmp_path_factory.mktemp("approvals"))
    progress = Progress(io.StringIO())
    quickly = {"AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1"}
    with (
        commands.prepared_house(layout, "test", progress) as local,
        commands.airflow_over(layout, "test", local, progress, quickly) as airflow,
    ):
        engine = make_engine(local.settings)
        put_plan(engine, local.settings)
        airflow.start()
        metadata = create_engine(database.metadata_url(layout))
        yield World(airflow, engine, metadata, local.settings)
        metadata.dispose()
        engine.dispose()
    assert ours(layout) == [], "left behind"


def put_plan(engine: Engine, settings: Settings, people: int = PEOPLE) -> None:
    """What schedule_messages leaves of a night with three such campaigns."""
    landed = {"file_id": 1, "row_number": 1}
    night = {"business_date": NIGHT, "channel": "email", "send_at": NINE}
    campaigns, decisions, messages = [], [], []
    for name in CAMPAIGNS:
        campaigns.append(
            {"campaign_id": name, "name": name, "channels": ["email"], "starts_on": NIGHT, "ends_on": NIGHT} | landed
        )
        for number in range(people):
            key = {"campaign_id": name, "customer_id": f"customer-{number}"}
            decisions.append(
                night | key | {"arm": "treated", "decision": "scheduled", "reason": "Drawn.", "policy_version": "1"}
            )
            messages.append(
                night
                | key
                | {
                    "message_id": f"{name}-{number}",
                    "send_date": NINE.date(),
                    "not_after": NINE + timedelta(hours=6),
                    "state": "awaiting_approval",
                    "content": {"items": []},
                }
            )
    with engine.begin() as connection:
        for table, rows in (
            (tables.campaigns, campaigns),
            (tables.message_decisions, decisions),
            (tables.messages, messages),
        ):
            connection.execute(insert(table), rows)
        ask_about_plan(connection, settings, NIGHT)


def test_people_answer_and_the_night_does_not_wait_for_them(world: World) -> None:
    run_the_end_of_the_night(world)
    world.wait_for("not all three are asked about", lambda: len(world.questions()) == 3)
    assert world.states() == dict.fromkeys(CAMPAIGNS, ("awaiting_approval", "waiting"))
    questions = world.questions()
    assert all("customer-" not in str(question) for question in questions.values())
    world.answer(questions["approved"], "Approve")
    world.answer(questions["refused"], "Refuse")
    world.wait_for(
        "each answer is carried out at once",
        lambda: (
            world.states()
            == {
                "approved": ("planned", "approved"),
                "refused": ("cancelled", "refused"),
                "unanswered": ("awaiting_approval", "waiting"),
            }
        ),
    )
    world.let_the_time_pass(questions["unanswered"])
    world.wait_for("no answer is one too", lambda: world.states()["unanswered"] == ("cancelled", "timed_out"))
    assert world.answered_by() == {"approved": "admin", "refused": "admin", "unanswered": None}
    world.wait_for("every run ends well", lambda: world.approvals() == ["success"] * 3)


def test_the_night_again_asks_nobody_twice(world: World) -> None:
    before = world.states()
    run_the_end_of_the_night(world)
    assert world.states() == before
    assert world.approvals() == ["success"] * 3


def test_an_open_question_stays_as_it_is_and_another_plan_asks_anew(world: World) -> None:
    with world.engine.begin() as connection:
        connection.execute(text("delete from marketing.messages"))
        connection.execute(text("delete from marketing.campaign_approvals"))
        connection.execute(text("delete from marketing.message_decisions"))
        connection.execute(text("delete from marketing.campaigns"))
    put_plan(world.engine, world.settings, people=PEOPLE + 1)
    run_the_end_of_the_night(world)
    world.wait_for("the new plan is asked about", lambda: len(world.approvals()) == 6)
    run_the_end_of_the_night(world)
    assert len(world.approvals()) == 6, "the same plan is the same question"


def run_the_end_of_the_night(world: World) -> None:
    """A run of nightly_marketing, all of it marked as done but the question, to its end."""
    client, dag = world.airflow.client, "/dags/nightly_marketing"
    world.ask("PATCH", dag, json={"is_paused": True})
    run_id = client.trigger("nightly_marketing", {"business_date": NIGHT.isoformat()})
    for task_id in (*BEFORE_THE_QUESTION, "generate_recommendations"):
        world.ask("PATCH", f"{dag}/dagRuns/{run_id}/taskInstances/{task_id}", json={"new_state": "success"})
    world.ask("PATCH", dag, json={"is_paused": False})
    world.wait_for("the night ends", lambda: client.run_state("nightly_marketing", run_id) in ("success", "failed"))
    assert client.run_state("nightly_marketing", run_id) == "success"

"""Every DAG parses fast, touches no database while parsing, and carries what an operator needs."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.db.tables import metadata
from include.settings import PROJECT_ROOT

ROUND = [
    "load_landing_files",
    "check_data_quality",
    "build_features",
    "train_recommender",
    "generate_recommendations",
    "publish_recommendations",
    "schedule_messages",
    "compute_reports",
]
BY_HAND = {"roll_back_model", "approve_campaigns", "preview_messages"}
"""Never scheduled: somebody, or a night, starts them with a form."""
WAITS_FOR_PEOPLE = {"approve_campaigns"}
"""Their runs stand side by side: one that waits must not hold up the next."""
APPROVAL = ["schedule_messages", "find_campaigns_to_approve", "ask_for_approval"]
BESIDE = [
    ["build_features", learn, "schedule_messages", "evaluate_policies"]
    for learn in ("learn_send_times", "learn_responses")
]


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "LAMPLIGHTER"))}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        # Nobody answers here: a query at parse time would fail the parse, and its connection is recorded besides.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
        "LAMPLIGHTER_DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    completed = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("parse_dags.py")), str(PROJECT_ROOT / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    result: dict[str, Any] = json.loads(completed.stdout.splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def tasks(parsed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{dag_id}.{task_id}": task for dag_id, dag in parsed["dags"].items() for task_id, task in dag["tasks"].items()
    }


def test_parsing_is_clean_fast_and_touches_nothing(parsed: dict[str, Any]) -> None:
    assert parsed["import_errors"] == {}
    assert parsed["warnings"] == {}
    assert parsed["connections"] == []
    assert parsed["heavy_modules"] == []
    assert set(parsed["seconds"]) == {
        "nightly_marketing.py",
        "deliver_messages.py",
        "roll_back_model.py",
        "approve_campaigns.py",
        "preview_messages.py",
        "tune_recommender.py",
    }
    assert max(parsed["seconds"].values()) < 1.0, parsed["seconds"]


def test_every_dag_has_what_an_operator_needs(parsed: dict[str, Any]) -> None:
    assert set(parsed["dags"]) == {"nightly_marketing", "deliver_messages", "tune_recommender", *BY_HAND}
    for dag_id, dag in parsed["dags"].items():
        assert "marketing" in dag["tags"], dag_id
        assert "**When**" in dag["doc"], dag_id
        assert "**What is normal**" in dag["doc"], dag_id
        timetable = "NullTimetable" if dag_id in BY_HAND else "CronDataIntervalTimetable"
        assert dag["timetable"] == timetable, dag_id
        assert dag["starts_paused"] is not (dag_id in BY_HAND), dag_id
        assert (dag["catchup"], dag["dagrun_timeout"]) == (False, True), dag_id
        assert (dag["max_active_runs"] == 1) is not (dag_id in WAITS_FOR_PEOPLE), dag_id


def test_every_task_has_an_owner_a_timeout_retries_and_a_sentence(tasks: dict[str, dict[str, Any]]) -> None:
    for name, task in tasks.items():
        assert task["owner"] == "lamplighter", name
        assert task["timeout"], name
        assert task["doc"].strip(), name
        assert task["retries"] > 0, name


def test_the_round_goes_in_order(parsed: dict[str, Any]) -> None:
    nightly = parsed["dags"]["nightly_marketing"]["tasks"]
    assert set(nightly) == {*ROUND, *itertools.chain.from_iterable(BESIDE), *APPROVAL}
    for earlier, later in [pair for row in (ROUND, *BESIDE, APPROVAL) for pair in itertools.pairwise(row)]:
        assert later in nightly[earlier]["downstream"]
    assert {name for name, task in nightly.items() if task["mapped"]} == {
        "generate_recommendations",
        "ask_for_approval",
    }


def test_no_night_waits_for_people(parsed: dict[str, Any]) -> None:
    nightly = parsed["dags"]["nightly_marketing"]["tasks"]
    assert nightly["ask_for_approval"]["downstream"] == [], "the round goes on beside it"
    assert nightly["find_campaigns_to_approve"]["downstream"] == ["ask_for_approval"]


def test_a_campaign_is_asked_about_and_then_recorded(parsed: dict[str, Any]) -> None:
    tasks = parsed["dags"]["approve_campaigns"]["tasks"]
    assert tasks["ask"]["downstream"] == ["record_approval"]
    assert "marketing.messages" in tasks["record_approval"]["outlets"]


def test_a_roll_back_chooses_once_and_a_retry_of_what_follows_keeps_the_choice(parsed: dict[str, Any]) -> None:
    tasks = parsed["dags"]["roll_back_model"]["tasks"]
    assert tasks["choose_model"]["downstream"] == ["roll_back"]
    assert tasks["choose_model"]["outlets"] == []
    assert tasks["roll_back"]["outlets"] == ["marketing.models", "marketing.recommendations"]


def test_assets_name_real_tables(tasks: dict[str, dict[str, Any]]) -> None:
    produced = {asset for task in tasks.values() for asset in task["outlets"]}
    tables = {f"marketing.{table.name}" for table in metadata.tables.values()}
    assert produced <= tables
    assert {"marketing.recommendations", "marketing.messages", "marketing.campaign_results"} <= produced

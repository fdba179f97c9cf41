"""Which settings a local command takes, and what Airflow's processes get of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.demo.first_run import SETTINGS_FILE
from include.local.environment import airflow_environment, local_settings, remember_settings_file, users_database_url
from include.local.layout import Layout
from include.settings import Settings

URL = "postgresql+psycopg2://postgres@/lamplighter?host=/run/shop"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.at(tmp_path / "state")


def test_without_a_file_the_defaults_hold_and_folders_lie_in_the_state_directory(layout: Layout) -> None:
    local = local_settings(layout, URL)
    assert local.settings_file is None
    assert local.settings.business_time_zone == "UTC"
    assert local.settings.landing == str(layout.root / "landing")
    assert local.settings.artifacts == str(layout.root / "artifacts")


def test_the_demos_settings_are_kept_for_its_own_database_alone(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_settings_file(layout, SETTINGS_FILE)
    assert local_settings(layout, URL).settings.business_time_zone == "America/New_York"
    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", "postgresql+psycopg2://me@db.example.com/shop")
    assert local_settings(layout, URL).settings_file is None


def test_what_the_user_sets_wins(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("business_time_zone: Europe/Berlin\nlanding: s3://shop/landing\n")
    monkeypatch.setenv("LAMPLIGHTER_SETTINGS", str(own))
    monkeypatch.setenv("LAMPLIGHTER_ARTIFACTS", "s3://shop/artifacts")
    remember_settings_file(layout, SETTINGS_FILE)
    local = local_settings(layout, URL, SETTINGS_FILE)
    assert local.settings.business_time_zone == "Europe/Berlin"
    assert (local.settings.landing, local.settings.artifacts) == ("s3://shop/landing", "s3://shop/artifacts")


def test_the_database_of_the_settings_file_is_the_users(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("database_url: postgresql+psycopg2://me@db.example.com/mine\n")
    monkeypatch.setenv("LAMPLIGHTER_SETTINGS", str(own))
    assert users_database_url() == "postgresql+psycopg2://me@db.example.com/mine"


def test_relative_folders_are_those_of_the_command(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("artifacts: models\n")
    monkeypatch.setenv("LAMPLIGHTER_SETTINGS", "own.yaml")
    monkeypatch.setenv("LAMPLIGHTER_LANDING", "my landing")
    variables = local_settings(layout, URL).variables()
    assert variables["LAMPLIGHTER_LANDING"] == str(tmp_path / "my landing")
    assert variables["LAMPLIGHTER_ARTIFACTS"] == str(tmp_path / "models")
    assert variables["LAMPLIGHTER_SETTINGS"] == str(tmp_path / "own.yaml")


def test_a_task_loads_the_very_settings_of_the_command(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_SCHEDULING__MESSAGES_PER_WEEK", "2")
    local = local_settings(layout, URL, SETTINGS_FILE)
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "echo another-airflow")
    environment = airflow_environment(layout, local, "postgresql://metadata", 8080)
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD" not in environment
    assert environment["LAMPLIGHTER_BUSINESS_TIME_ZONE"] == "America/New_York"
    for name, value in environment.items():
        if name.startswith("LAMPLIGHTER_"):
            monkeypatch.setenv(name, value)
    assert Settings() == local.settings

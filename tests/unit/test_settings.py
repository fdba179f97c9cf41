"""Settings: validated, frozen, from file and environment, and loud about what they do not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from include.settings import Settings, load_settings


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lamplighter.yaml"
    monkeypatch.setenv("LAMPLIGHTER_SETTINGS", str(path))
    return path


def test_defaults_need_nothing() -> None:
    assert load_settings().business_time_zone == "UTC"


def test_file_then_environment(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_file.write_text("business_time_zone: Europe/Madrid\nrecommender: {list_length: 32, shards: 3}\n")
    monkeypatch.setenv("LAMPLIGHTER_RECOMMENDER__SHARDS", "5")
    settings = load_settings()
    assert settings.business_time_zone == "Europe/Madrid"
    assert (settings.recommender.list_length, settings.recommender.shards) == (32, 5)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", "")
    monkeypatch.setenv("LAMPLIGHTER_DELIVERY__SMTP_USERNAME", "")
    settings = load_settings()
    assert settings.database_url is None
    assert settings.delivery.smtp_username is None


def test_empty_file_is_the_defaults(settings_file: Path) -> None:
    settings_file.write_text("")
    assert load_settings().recommender.list_length > 0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("recomender: {factors: 3}", "recomender"),
        ("recommender: {factor: 3}", "factor"),
        ("recommender: {list_length: -3}", "list_length"),
        ("recommender: {target_event: return}", "target_event"),
        ("recommender: {seed: -1}", "seed"),
        ("recommender: {promotion_tolerance: 1}", "promotion_tolerance"),
        ("recommender: {rest_days_after_sending: {discovery: 1000000}}", "discovery"),
        ("recommender: {list_rules: {discovery: {margin_weight: .inf}}}", "margin_weight"),
        ("business_time_zone: Mars/Olympus", "Mars/Olympus"),
        ("scheduling: {holdout_share: 1.5}", "holdout_share"),
        ("scheduling: {quiet_from: late}", "quiet_from"),
    ],
)
def test_a_wrong_file_names_the_key(settings_file: Path, content: str, named: str) -> None:
    settings_file.write_text(content)
    with pytest.raises(ValidationError, match=named):
        load_settings()


def test_a_missing_file_is_named(settings_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=settings_file.name):
        load_settings()


@pytest.mark.parametrize("variable", ["LAMPLIGHTER_LANDNIG", "LAMPLIGHTER_RECOMENDER__FACTORS"])
def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ValidationError, match=variable):
        load_settings()


def test_a_misspelt_nested_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_RECOMMENDER__FACTOR", "3")
    with pytest.raises(ValidationError, match=r"(?i)factor"):
        load_settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().recommender.list_length = 1  # type: ignore[misc]  # what is under test


def test_an_error_does_not_show_passwords(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", "postgresql+psycopg2://user:hunter2@host/db")
    monkeypatch.setenv("LAMPLIGHTER_DELIVERY__SMTP_PASSWORD", "hunter3")
    settings_file.write_text("recomender: {}\ndelivery: {smtp_port: none, push_token: hunter4}\n")
    with pytest.raises(ValidationError) as raised:
        load_settings()
    assert "recomender" in str(raised.value)
    assert "hunter" not in str(raised.value)


def test_a_password_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", "postgresql+psycopg2://user:hunter2@host/db")
    assert "hunter2" not in repr(load_settings())


def test_a_cart_comes_to_rest_within_the_hours_that_count() -> None:
    triggers = {"abandoned_cart_hours": 6, "abandoned_cart_rest_hours": 5}
    assert Settings(scheduling={"triggers": triggers}).scheduling.triggers.abandoned_cart_rest_hours == 5
    with pytest.raises(ValidationError, match="abandoned_cart_rest_hours must be below abandoned_cart_hours"):
        Settings(scheduling={"triggers": {**triggers, "abandoned_cart_hours": 5}})

"""What README says is so: its commands, files, settings and DAGs exist, and its worked example runs through a night."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine, text

from include.audience_filter import AudienceError, parse_filter
from include.db.tables import LANDING_TABLES, TRIGGERS
from include.delivery import process_engagements
from include.features import build_features
from include.landing import load_landing_files
from include.landing.rules import RULES
from include.quality import check_data_quality
from include.recommender import generate_recommendations, publish_recommendations, train_recommender
from include.reporting import compute_reports
from include.scheduling import learn_responses, learn_send_times, schedule_messages
from include.settings import PROJECT_ROOT, Settings, TriggerSettings

README = (PROJECT_ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"`(\w+)/(\d{4}-\d\d-\d\d)/(\S+\.csv)`:?\n\n```csv\n(.*?)```", re.DOTALL)
EXAMPLE_NIGHT = date(2026, 1, 31)


def test_every_make_command_exists_and_is_told() -> None:
    documented = set(re.findall(r"^## ([\w-]+)", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([\w-]+)", README)) | set(re.findall(r"^\$ make ([\w-]+)", README, re.MULTILINE))
    assert named == documented


def test_every_file_it_names_exists() -> None:
    for link in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
        assert (PROJECT_ROOT / link).exists(), link


def test_the_table_of_dags_is_complete() -> None:
    section = README.split("## The DAGs")[1].split("## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    files = {path.stem for path in (PROJECT_ROOT / "dags").glob("*.py")} - {"lamplighter_shared"}
    assert rows == files


def test_every_setting_it_names_exists() -> None:
    names = {name.upper() for name in Settings.model_fields} | {"SETTINGS"}
    for variable in re.findall(r"LAMPLIGHTER_([A-Z_]+)", README):
        assert variable.split("__")[0] in names, variable


def test_the_variables_for_a_team_are_in_the_example() -> None:
    assert ".env.example" in README
    assert (PROJECT_ROOT / ".env.example").exists()


def test_the_contract_in_the_table_is_the_one_that_is_held() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", README, re.MULTILINE))
    for name in LANDING_TABLES:
        required = {field.name for field in RULES[name].fields if field.required}
        bold = set(re.findall(r"\*\*(\w+)\*\*", told[name]))
        assert required <= bold, name
        assert set(re.findall(r"\w+", re.sub(r"\(.*?\)", "", told[name]))) <= set(LANDING_TABLES[name].c.keys()), name


def test_the_filter_it_shows_is_understood_and_the_misspelt_one_is_not() -> None:
    section = README.split("## Who is meant")[1].split("\n## ")[0]
    shown = re.search(r"```python\n(.*?)\n```", section)
    told = re.search(r"cannot be understood: (.*?); …", section)
    assert shown
    assert told
    assert parse_filter(shown[1]).columns == {"recency", "churn_probability", "segment", "preferred_categories"}
    with pytest.raises(AudienceError, match=re.escape(told[1])):
        parse_filter("recencyy >= 30")


def test_the_triggers_and_their_settings_are_told() -> None:
    section = README.split("| trigger |")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+?) \|$", section, re.MULTILINE))
    assert set(rows) == set(TRIGGERS)
    assert {name for cell in rows.values() for name in re.findall(r"\w+", cell)} == set(TriggerSettings.model_fields)


def test_its_worked_example_runs_to_messages(
    engine: Engine, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(business_time_zone="Europe/Madrid", recommender={"shards": 1})
    files = EXAMPLE.findall(README)
    assert {table for table, *_ in files} == {"customers", "items", "events", "consents", "campaigns"}
    for table, day, name, content in files:
        folder = tmp_path / "landing" / table / day
        folder.mkdir(parents=True)
        (folder / name).write_text(content)

    landed = load_landing_files(engine, settings, business_date=EXAMPLE_NIGHT)
    assert (landed.files_loaded, landed.rows_quarantined) == (len(files), 0)
    process_engagements(engine, settings, as_of=datetime(2026, 1, 31, 23, tzinfo=UTC))
    check_data_quality(engine, settings, business_date=EXAMPLE_NIGHT)
    build_features(engine, settings, business_date=EXAMPLE_NIGHT)
    for shard in train_recommender(engine, settings, business_date=EXAMPLE_NIGHT).shards:
        generate_recommendations(engine, settings, business_date=EXAMPLE_NIGHT, shard=shard)
    publish_recommendations(engine, settings, business_date=EXAMPLE_NIGHT)
    learn_send_times(engine, settings, business_date=EXAMPLE_NIGHT)
    learn_responses(engine, settings, business_date=EXAMPLE_NIGHT)
    schedule_messages(engine, settings, business_date=EXAMPLE_NIGHT)
    compute_reports(engine, settings, business_date=EXAMPLE_NIGHT)

    with engine.connect() as connection:
        rows = connection.execute(text("select customer_id, decision from marketing.message_decisions"))
        decisions = {row.customer_id: row.decision for row in rows}
        planned = connection.execute(text("select count(*) from marketing.messages where state = 'planned'")).scalar()
    assert set(decisions) == {"ana", "ben", "cara"}
    assert decisions["cara"] == "no_consent"
    assert planned == list(decisions.values()).count("scheduled") > 0


def test_its_own_expectations_are_judged(
    engine: Engine, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """The example as it stands, over the worked example with one purchase that it reports."""
    example = re.search(r"```yaml\n(quality:\n.*?)```", README, re.DOTALL)
    assert example
    settings = make_settings(business_time_zone="Europe/Madrid", **yaml.safe_load(example[1]))
    for table, day, name, content in EXAMPLE.findall(README):
        folder = tmp_path / "landing" / table / day
        folder.mkdir(parents=True)
        (folder / name).write_text(content.replace("i1,1,9.90,", "i1,101,0,"))
    load_landing_files(engine, settings, business_date=EXAMPLE_NIGHT)
    check_data_quality(engine, settings, business_date=EXAMPLE_NIGHT)
    with engine.connect() as connection:
        results = connection.execute(
            text(
                "select expectation, column_name, severity, success from marketing.quality_results"
                " where expectation = lower(expectation) order by table_name desc"
            )
        ).all()
        rows = connection.execute(text("select rule, row_key from marketing.quality_failures")).all()
    assert [tuple(row) for row in results] == [
        ("expect_column_values_to_be_between", "price", "critical", True),
        ("rows_where", "free_in_bulk", "warning", False),
    ]
    assert ("free_in_bulk", "e1") in [tuple(row) for row in rows]

"""The migrations make exactly the tables that the code names."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, inspect, text

from include.db.migrate import alembic_config, migrate
from include.db.tables import DATED_TABLES, SCHEMA
from include.settings import PROJECT_ROOT


def test_migrations_match_the_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        command.check(alembic_config(connection))


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    before = inspect(engine).get_table_names(SCHEMA)
    migrate(engine)
    assert inspect(engine).get_table_names(SCHEMA) == before


def test_downgrade_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert inspect(engine).get_table_names(SCHEMA) == ["alembic_version"]


def test_an_open_question_keeps_the_key_it_was_asked_under(engine: Engine) -> None:
    preview = {"name": "Café", "cost": 0.1, "decisions": {"scheduled": 2, "capped": 1}}
    key = hashlib.sha256(json.dumps(preview, sort_keys=True).encode()).hexdigest()[:16]
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0008")
        connection.execute(
            text("insert into marketing.campaign_approvals values ('2017-11-30', 'spring', 'waiting', :preview)"),
            {"preview": json.dumps(preview)},
        )
    migrate(engine)
    with engine.begin() as connection:
        found = connection.execute(text("select preview_key, is_current from marketing.campaign_approvals")).all()
        assert found == [(key, True)]
        command.downgrade(alembic_config(connection), "0008")
        assert connection.execute(text("select count(*) from marketing.campaign_approvals")).scalar() == 1


def test_each_dated_table_has_a_current_view_and_there_are_a_few_more(engine: Engine) -> None:
    views = set(inspect(engine).get_view_names(SCHEMA))
    assert views == {f"current_{table.name}" for table in DATED_TABLES} | {
        "addresses",
        "excluded_events",
        "send_time_profiles",
        "interactions",
        "counted_events",
    }


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
@pytest.mark.parametrize("command_line", [["include.db.migrate"], ["include.local", "night", "--date", "2017-11-30"]])
def test_a_database_that_is_not_in_utf_8_is_refused_with_the_remedy(
    make_database: Callable[[str], str], tmp_path: Path, encoding: str, command_line: list[str]
) -> None:
    url = make_database(encoding)
    module, *arguments = command_line
    state = ["--state", str(tmp_path)] if arguments else []
    done = subprocess.run(
        [sys.executable, "-m", module, *state, *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"LAMPLIGHTER_DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"The database 'encoded' is encoded in {encoding}, and must be in UTF8: make another with "
        "`create database ... encoding 'UTF8' template template0`, and name that in LAMPLIGHTER_DATABASE_URL"
    )
    assert not inspect(create_engine(url)).has_schema(SCHEMA)

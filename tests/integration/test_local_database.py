"""The embedded server of the make commands: who starts it stops it, and ``db-url`` prints a URL and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from make_commands import run
from sqlalchemy import create_engine, text

from include.db import server
from include.local import database
from include.local.layout import Layout, read_json, write_json


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout.at(tmp_path / "state")
    yield layout
    server.stop(layout.postgres)


def postgres_processes(layout: Layout) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(layout.postgres) in (process.info["cmdline"] or [])
    ]


def test_db_url_prints_the_url_alone_and_leaves_a_migrated_server(layout: Layout) -> None:
    done = run(layout, "db-url")
    assert done.returncode == 0, done.stderr
    [url] = done.stdout.splitlines()
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from marketing.events")).scalar_one() == 0
    engine.dispose()
    assert run(layout, "db-url").stdout == done.stdout
    assert postgres_processes(layout)
    assert run(layout, "stop").returncode == 0
    assert postgres_processes(layout) == []


def test_db_url_of_a_database_of_ones_own_starts_nothing(layout: Layout) -> None:
    own = "postgresql+psycopg2://me@db.example.com/shop"
    assert run(layout, "db-url", LAMPLIGHTER_DATABASE_URL=own).stdout == f"{own}\n"
    assert not layout.postgres.exists()


def test_the_server_ends_with_the_block_that_started_it(layout: Layout) -> None:
    with database.running_server(layout):
        with database.running_server(layout):
            pass
        assert server.is_running(layout.postgres), "the inner block did not start it"
    assert postgres_processes(layout) == []


def test_a_server_that_was_to_be_kept_outlives_other_commands(layout: Layout) -> None:
    assert database.start_server(layout, keep=True) is False
    with database.running_server(layout):
        pass
    assert server.is_running(layout.postgres)


def test_a_server_left_by_a_killed_command_passes_to_the_next(layout: Layout) -> None:
    assert database.start_server(layout, keep=False) is True
    record = read_json(layout.run / "postgres.json")
    assert record is not None
    write_json(layout.run / "postgres.json", record | {"owner": {"pid": os.getpid(), "started": 1.0}})
    with database.running_server(layout):
        pass
    assert postgres_processes(layout) == []


def test_secrets_are_made_once_and_for_the_owner_alone(layout: Layout) -> None:
    made = (layout.secret("fernet"), layout.admin_password())
    again = Layout.at(layout.root)
    assert (again.secret("fernet"), again.admin_password()) == made
    assert again.secret("jwt") != made[0]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in layout.secrets.iterdir()}
    assert modes == {"fernet": 0o600, "jwt": 0o600, "passwords.json": 0o600}

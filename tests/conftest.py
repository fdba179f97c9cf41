"""A real Postgres for every test that asks: one embedded server per session, one fresh migrated database per test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from include.db import server
from include.db.migrate import migrate
from include.settings import ENVIRONMENT_PREFIX, Settings

_numbers = itertools.count(1)
AIRFLOW_TESTS = "tests/e2e/"


class AirflowBesideTheRest(LoadFileScheduling):
    """With several processes: one takes all Airflow tests, one after the other, the others the other files.

    An Airflow's processes keep more than one core busy; two of them at once would be too slow for what waits for them.
    """

    def _split_scope(self, nodeid: str) -> str:
        return AIRFLOW_TESTS if nodeid.startswith(AIRFLOW_TESTS) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> AirflowBesideTheRest:
    return AirflowBesideTheRest(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """The developer's own LAMPLIGHTER_ variables must not reach a test, nor a fixture of wider scope."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
            patch.delenv(variable)
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data directory of a running server whose database ``template`` is migrated."""
    data_directory = tmp_path_factory.mktemp("postgres") / "data"
    server.start(data_directory)
    with _administration(data_directory) as connection:
        # Nothing here outlives the machine: waiting for the disk would take most of the time of a test's own database.
        for promise in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"alter system set {promise} = off"))
        connection.execute(text("select pg_reload_conf()"))
    engine = create_engine(server.ensure_database(data_directory, "template"))
    migrate(engine)
    engine.dispose()
    yield data_directory
    server.stop(data_directory)


@pytest.fixture(scope="session")
def administration(postgres: Path) -> Iterator[Connection]:
    with _administration(postgres) as connection:
        yield connection


@contextmanager
def _administration(data_directory: Path) -> Iterator[Connection]:
    """Outside any transaction, where databases are made and dropped."""
    engine = create_engine(server.ensure_database(data_directory, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def database_url(administration: Connection) -> Iterator[str]:
    """URL of a migrated, empty marketing database of this test's own."""
    name = f"test_{next(_numbers)}"
    administration.execute(text(f"create database {name} template template"))
    yield administration.engine.url.set(database=name).render_as_string(hide_password=False)
    administration.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, connect_args={"options": "-c timezone=UTC"})
    yield engine
    engine.dispose()


@pytest.fixture
def make_settings(tmp_path: Path, database_url: str) -> Callable[..., Settings]:
    """Settings over this test's database and folders; keyword arguments override fields."""

    def make(**fields: object) -> Settings:
        defaults = {
            "database_url": database_url,
            "landing": str(tmp_path / "landing"),
            "artifacts": str(tmp_path / "artifacts"),
            "business_time_zone": "America/New_York",
        }
        return Settings(**{**defaults, **fields})

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def make_database(administration: Connection) -> Iterator[Callable[[str], str]]:
    """Makes an empty database of the given encoding; returns its URL."""

    def make(encoding: str) -> str:
        administration.execute(text(f"create database encoded encoding '{encoding}' locale 'C' template template0"))
        return administration.engine.url.set(database="encoded").render_as_string(hide_password=False)

    yield make
    administration.execute(text("drop database encoded with (force)"))

"""The migrations make exactly the tables that the code names."""

from alembic import command
from sqlalchemy import Engine, inspect

from include.db.migrate import alembic_config, migrate
from include.db.tables import DATED_TABLES, SCHEMA


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


def test_each_dated_table_has_a_current_view_and_there_are_a_few_more(engine: Engine) -> None:
    views = set(inspect(engine).get_view_names(SCHEMA))
    assert views == {f"current_{table.name}" for table in DATED_TABLES} | {
        "addresses",
        "excluded_events",
        "interactions",
        "counted_events",
    }

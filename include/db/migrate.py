"""Bring the marketing database to the newest schema: ``python -m include.db.migrate``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.schema import CreateSchema

from include.db.engine import make_engine
from include.db.locks import lock
from include.db.tables import SCHEMA
from include.settings import load_settings

LOCK_NAME = "lamplighter.migrate"
"""Two workers that start together migrate once."""


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> None:
    """Run all missing migrations in one transaction; does nothing on a current database."""
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        if not inspect(connection).has_schema(SCHEMA):  # its owner may not be allowed to create one
            connection.execute(CreateSchema(SCHEMA))
        command.upgrade(alembic_config(connection), "head")


if __name__ == "__main__":
    migrate(make_engine(load_settings()))
    print("The marketing database is current.")

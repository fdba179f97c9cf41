"""Bring the marketing database to the newest schema: ``python -m include.db.migrate``."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.schema import CreateSchema

from include.db.engine import make_engine
from include.db.locks import lock
from include.db.tables import SCHEMA
from include.settings import load_settings

LOCK_NAME = "lamplighter.migrate"
"""Two workers that start together migrate once."""

ENCODING = "UTF8"


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


class UnfitDatabaseError(ValueError):
    """A database that cannot be the marketing database; the message names the remedy."""


def migrate(engine: Engine) -> None:
    """Run all missing migrations in one transaction; does nothing on a current database.

    Raises UnfitDatabaseError, and changes nothing, when the database is not encoded in UTF-8: others cannot hold every
    customer's name, or do not say what they hold.
    """
    with engine.begin() as connection:
        _check_encoding(connection)
        lock(connection, LOCK_NAME)
        if not inspect(connection).has_schema(SCHEMA):  # its owner may not be allowed to create one
            connection.execute(CreateSchema(SCHEMA))
        command.upgrade(alembic_config(connection), "head")


def _check_encoding(connection: Connection) -> None:
    encoding = connection.execute(text("show server_encoding")).scalar_one()
    if encoding != ENCODING:
        raise UnfitDatabaseError(
            f"The database {connection.engine.url.database!r} is encoded in {encoding}, and must be in {ENCODING}: "
            f"make another with `create database ... encoding '{ENCODING}' template template0`, "
            "and name that in LAMPLIGHTER_DATABASE_URL"
        )


if __name__ == "__main__":
    try:
        migrate(make_engine(load_settings()))
    except UnfitDatabaseError as error:
        sys.exit(str(error))
    print("The marketing database is current.")

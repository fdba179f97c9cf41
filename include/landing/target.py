"""The table that a file's good rows are collected in, typed, before they count."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, MetaData, Table, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import AddConstraint, CreateIndex, DropConstraint, DropIndex

from include.landing.discovery import LandingFile

FILL_FROM_BYTES = 2_000_000
"""A file of this size into an empty table fills it directly, and its indexes are built afterwards."""


@dataclass(frozen=True)
class Target:
    """Where good rows go first."""

    table: Table
    is_final: bool
    """It is the landing table itself, which was empty and has no key and no index now; else a temporary one like it."""


def open_target(connection: Connection, file: LandingFile, table: Table) -> Target:
    """The target of the table's next file."""
    if file.size_bytes >= FILL_FROM_BYTES and not connection.execute(select(select(table).limit(1).exists())).scalar():
        _strip(connection, table)
        return Target(table, is_final=True)
    collected = Table("landing_good", MetaData(), *(Column(column.name, column.type) for column in table.c))
    name = connection.dialect.identifier_preparer.format_table(table)
    connection.execute(text(f"create temporary table landing_good (like {name} including defaults) on commit drop"))
    return Target(collected, is_final=False)


def _strip(connection: Connection, table: Table) -> None:
    """Take key and indexes off an empty table, for this transaction only: other sessions wait for its end.

    Built from all rows at once they take a third of the time. Truncated, the table is new to the transaction, and a
    server with ``wal_level = minimal`` writes its rows once, not to the log as well.
    """
    connection.execute(text(f"truncate {connection.dialect.identifier_preparer.format_table(table)}"))
    connection.execute(DropConstraint(table.primary_key))
    for index in table.indexes:
        connection.execute(DropIndex(index, if_exists=True))


def add_key(connection: Connection, table: Table) -> bool:
    """Give the filled table its key; False: rows with the same key stand in the way, and nothing was changed."""
    try:
        with connection.begin_nested():
            connection.execute(AddConstraint(table.primary_key, isolate_from_table=False))
    except IntegrityError:
        return False
    return True


def finish(connection: Connection, table: Table) -> None:
    """Give the filled table its indexes, and the planner its statistics, before autovacuum has come round."""
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        connection.execute(CreateIndex(index))
    connection.execute(text(f"analyze {connection.dialect.identifier_preparer.format_table(table)}"))

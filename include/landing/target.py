"""The table that a file's good rows are collected in, typed, before they count."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, MetaData, Table, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
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


def open_target(connection: Connection, file: LandingFile, table: Table, *, is_new: bool) -> Target:
    """The target of the table's next file.

    is_new: the file has no former rows, so that a reader with an older snapshot loses none when the table is truncated.
    """
    if is_new and file.size_bytes >= FILL_FROM_BYTES and _is_empty(connection, table) and _strip(connection, table):
        return Target(table, is_final=True)
    collected = Table("landing_good", MetaData(), *(Column(column.name, column.type) for column in table.c))
    connection.execute(
        text(f"create temporary table landing_good (like {table.fullname} including defaults) on commit drop")
    )
    return Target(collected, is_final=False)


def _is_empty(connection: Connection, table: Table) -> bool:
    return not connection.execute(select(select(table).limit(1).exists())).scalar()


def _strip(connection: Connection, table: Table) -> bool:
    """Take key and indexes off an empty table, for this transaction only: other sessions wait for its end.

    Built from all rows at once they take a third of the time. Truncated, the table is new to the transaction, and a
    server with ``wal_level = minimal`` writes its rows once, not to the log as well. False, and nothing was changed:
    another session is at the table, or a view, a foreign key or a publication needs what would be taken off, or it is
    another role's.
    """
    try:
        with connection.begin_nested():
            connection.execute(text(f"lock table {table.fullname} in access exclusive mode nowait"))
            # Asked again: rows of another session may have been committed before the lock was had.
            if not _is_empty(connection, table) or _is_published(connection, table):
                raise _NeededAsItIs
            connection.execute(text(f"truncate {table.fullname}"))
            connection.execute(DropConstraint(table.primary_key))
            for index in table.indexes:
                connection.execute(DropIndex(index, if_exists=True))
    except _NeededAsItIs:
        return False
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
    return True


class _NeededAsItIs(Exception):
    """The table must keep its key."""


def _is_published(connection: Connection, table: Table) -> bool:
    query = text("select exists (select from pg_publication_tables where schemaname = :schema and tablename = :name)")
    return bool(connection.execute(query, {"schema": table.schema, "name": table.name}).scalar_one())


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
    connection.execute(text(f"analyze {table.fullname}"))

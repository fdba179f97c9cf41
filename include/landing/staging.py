"""Where a file's rows are on their way: good ones typed, the others as text, both copied within the transaction."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

import pyarrow
import pyarrow.csv
from psycopg2 import sql
from psycopg2.extensions import connection as PsycopgConnection
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text
from sqlalchemy.schema import CreateTable

from include.landing.batches import ROW_NUMBER, Content, LandingFileError
from include.landing.rules import Rules

_COPIED_BYTES = 1 << 20


@dataclass(frozen=True)
class Places:
    """Where a file's columns go."""

    given: tuple[str, ...]
    """Columns of the contract that the file has."""
    extras: tuple[tuple[str, str, bool], ...]
    """Staging column, name in the file, and whether its text is JSON, of each column without a place."""


@dataclass(frozen=True)
class Staging:
    """The temporary tables of one file, dropped at the end of the transaction."""

    table: Table
    """ROW_NUMBER, every column of the contract, and ``extra_<n>`` for each column without a place; all text."""
    refusals: Table
    """ROW_NUMBER and the reason of the rows to move to quarantine."""
    places: Places


def check_columns(content: Content, rules: Rules) -> None:
    """Raises LandingFileError when a required column is missing or a name occurs twice."""
    if content.columns and not set(content.columns) & set(rules.column_names):
        # Without a header the first row stands in its place, and this message ends in the log.
        raise LandingFileError(
            f"none of the {len(content.columns)} columns is one of {', '.join(rules.column_names)}: "
            "does the first line name the columns?"
        )
    found = ", ".join(name[:60] for name in content.columns[:50]) or "none"
    missing = [name for name in rules.required if name not in content.columns]
    if missing:
        raise LandingFileError(f"column {', '.join(missing)} is missing; columns found: {found}")
    twice = sorted({name for name in content.columns if content.columns.count(name) > 1})
    if twice:
        raise LandingFileError(f"column {', '.join(twice)} occurs more than once; columns found: {found}")


def place_columns(content: Content, rules: Rules) -> Places:
    given = tuple(name for name in rules.column_names if name in content.columns)
    unknown = [name for name in content.columns if name not in given]
    extras = tuple((f"extra_{position}", name, name in content.json_columns) for position, name in enumerate(unknown))
    return Places(given, extras)


def create_staging(connection: Connection, places: Places, rules: Rules) -> Staging:
    metadata = MetaData()
    columns = [*rules.column_names, *(column for column, _, _ in places.extras)]
    table = Table(
        "landing_staging",
        metadata,
        Column(ROW_NUMBER, BigInteger),
        *(Column(name, Text) for name in columns),
        prefixes=["temporary"],
        postgresql_on_commit="DROP",
    )
    refusals = Table(
        "landing_refusals",
        metadata,
        Column(ROW_NUMBER, BigInteger),
        Column("reason", Text),
        prefixes=["temporary"],
        postgresql_on_commit="DROP",
    )
    for temporary in (table, refusals):
        connection.execute(CreateTable(temporary))
    return Staging(table, refusals, places)


def copy_texts(connection: Connection, staging: Staging, rows: pyarrow.Table) -> None:
    """Append rows of text to the staging table."""
    places = {name: column for column, name, _ in staging.places.extras}
    copy_csv(connection, staging.table, rows.rename_columns([places.get(name, name) for name in rows.column_names]))


def copy_csv(connection: Connection, table: Table, rows: pyarrow.Table) -> None:
    """Append rows, their columns named as the table's, to ``table``."""
    if not rows.num_rows:
        return
    text = io.BytesIO()
    # "all_valid" quotes every value but null, so that a value which looks like COPY's end marker or null is none.
    pyarrow.csv.write_csv(rows, text, pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    text.seek(0)
    _copy(connection, table, rows.column_names, "csv", text, rows.num_rows)


def copy_binary(connection: Connection, table: Table, columns: list[str], parts: tuple[bytes, ...], count: int) -> None:
    """Append ``count`` rows in the bytes of COPY's binary format to ``table``."""
    _copy(connection, table, columns, "binary", _Parts(parts), count)


class _Parts:
    """Bytes to read part by part, as they are: psycopg2 takes a part longer than it asked for."""

    def __init__(self, parts: tuple[bytes, ...]) -> None:
        self._parts = iter(parts)

    def read(self, _size: int) -> bytes:
        return next(self._parts, b"")


def _copy(connection: Connection, table: Table, columns: list[str], format_: str, stream: Any, count: int) -> None:
    statement = sql.SQL("copy {} ({}) from stdin with (format {})").format(
        sql.Identifier(table.schema, table.name) if table.schema else sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(format_),
    )
    driver = cast(PsycopgConnection, connection.connection.driver_connection)
    with driver.cursor() as cursor:
        cursor.copy_expert(statement.as_string(cursor), stream, size=_COPIED_BYTES)
        if cursor.rowcount != count:
            raise RuntimeError(f"{cursor.rowcount} of {count} rows were copied to {table.name}")

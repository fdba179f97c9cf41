"""A file's rows as text in a temporary table of the transaction, by COPY."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import cast

import pyarrow
import pyarrow.csv
from psycopg2 import sql
from psycopg2.extensions import connection as PsycopgConnection
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text
from sqlalchemy.schema import CreateTable

from include.landing.batches import (
    NUL,
    ROW_NUMBER,
    UNDECODABLE,
    Batch,
    Content,
    LandingFileError,
    separate_damaged,
)
from include.landing.rules import Rules

_DAMAGE = (b"\0", UNDECODABLE.encode(), NUL.encode())


@dataclass(frozen=True)
class Staging:
    """The temporary tables of one file, dropped at the end of the transaction."""

    table: Table
    """ROW_NUMBER, every column of the contract, and ``extra_<n>`` for each column without a place; all text."""
    refusals: Table
    """ROW_NUMBER and the reason of the rows to move to quarantine."""
    given: tuple[str, ...]
    """Columns of the contract that the file has."""
    extras: tuple[tuple[str, str, bool], ...]
    """Staging column, name in the file, and whether its text is JSON, of each column without a place."""


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


def create_staging(connection: Connection, content: Content, rules: Rules) -> Staging:
    given = tuple(name for name in rules.column_names if name in content.columns)
    unknown = [name for name in content.columns if name not in given]
    extras = tuple((f"extra_{position}", name, name in content.json_columns) for position, name in enumerate(unknown))
    metadata = MetaData()
    columns = [*rules.column_names, *(column for column, _, _ in extras)]
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
    return Staging(table, refusals, given, extras)


def copy_batch(connection: Connection, staging: Staging, batch: Batch) -> Batch:
    """Append the batch's rows; returns the batch as it was stored, rows that Postgres cannot hold set apart."""
    text = _as_csv(batch.rows)
    if any(damage in text for damage in _DAMAGE):
        batch = separate_damaged(batch)
        text = _as_csv(batch.rows)
    if batch.rows.num_rows:
        places = {name: column for column, name, _ in staging.extras}
        columns = [places.get(name, name) for name in batch.rows.column_names]
        statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
            sql.Identifier(staging.table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        driver = cast(PsycopgConnection, connection.connection.driver_connection)
        with driver.cursor() as cursor:
            cursor.copy_expert(statement.as_string(cursor), io.BytesIO(text))
    return batch


def _as_csv(rows: pyarrow.Table) -> bytes:
    text = io.BytesIO()
    # "all_valid" quotes every value but null, so that a value which looks like COPY's end marker or null is none.
    pyarrow.csv.write_csv(rows, text, pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    return text.getvalue()

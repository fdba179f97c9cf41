"""Rows to and from Postgres by COPY, the fastest way in and out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd
import pyarrow
import pyarrow.csv
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg2 import sql
from psycopg2.extensions import connection as PsycopgConnection
from sqlalchemy import Connection, Table


def _driver_connection(connection: Connection) -> PsycopgConnection:
    return cast(PsycopgConnection, connection.connection.driver_connection)


def copy_in(connection: Connection, table: Table, frame: pd.DataFrame | pyarrow.Table) -> int:
    """Append ``frame`` (columns named as the table's) to ``table`` within the caller's transaction; returns rows.

    Missing values (None, NaN, NaT) become NULL; an empty string stays one. Arrays and JSON must be passed as the text
    Postgres reads (``{a,b}``, ``{"a": 1}``). A table without a schema is a temporary one.
    """
    if isinstance(frame, pd.DataFrame):
        frame = pyarrow.Table.from_pandas(frame, preserve_index=False)
    copy_text(connection, table, frame.column_names, as_text(frame))
    return int(frame.num_rows)


def copy_in_binary(connection: Connection, table: Table, rows: pyarrow.Table) -> int:
    """Append ``rows`` (columns named and typed as the table's, lists for arrays) to ``table``; returns how many."""
    if not rows.num_rows:
        return 0
    (batch,) = rows.combine_chunks().to_batches()
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    encoded = io.BytesIO(encoder.write_header() + encoder.write_batch(batch) + encoder.finish())
    statement = sql.SQL("copy {} ({}) from stdin with (format binary)").format(
        sql.Identifier(*_place(table)), sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    )
    with _driver_connection(connection).cursor() as cursor:
        cursor.copy_expert(statement.as_string(cursor), encoded)
    return int(rows.num_rows)


def _place(table: Table) -> tuple[str, ...]:
    """A table without a schema is a temporary one."""
    return (table.schema, table.name) if table.schema else (table.name,)


def as_text(table: pyarrow.Table) -> io.BytesIO:
    """What COPY reads of ``table``."""
    text = io.BytesIO()
    if table.num_rows:
        # "all_valid" quotes every value but null, so COPY can tell an empty string from a missing one.
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
        # One chunk a column: of a text column whose first chunk is empty the writer makes garbage.
        pyarrow.csv.write_csv(table.combine_chunks(), text, options)
    text.seek(0)
    return text


def copy_text(connection: Connection, table: Table, columns: Sequence[str], text: io.BytesIO) -> None:
    """Append rows that ``as_text`` wrote, with these columns, to ``table``."""
    if not text.getbuffer().nbytes:
        return
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        sql.Identifier(*_place(table)), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with _driver_connection(connection).cursor() as cursor:
        cursor.copy_expert(statement.as_string(cursor), text)


def copy_out(connection: Connection, query: str, dtypes: dict[str, str] | None = None) -> pd.DataFrame:
    """Result of a constant ``query`` as a frame, several times faster than fetching rows.

    The query takes no parameters (COPY has none): pass dates and the like through a temporary table or
    ``set_config``/``current_setting``. dtypes: as in ``pandas.read_csv``; read ids as "str". With "category", pandas
    guesses the type of the categories and reads the id 02 as the number 2; make them categories afterwards.
    """
    text = io.BytesIO()
    with _driver_connection(connection).cursor() as cursor:
        cursor.copy_expert(f"copy ({query}) to stdout with (format csv, header)", text)
    text.seek(0)
    return pd.read_csv(text, dtype=dtypes, keep_default_na=False, na_values=[""])


def copy_out_columns(connection: Connection, query: str, types: Mapping[str, Any]) -> pyarrow.Table:
    """Result of a constant ``query`` as an Arrow table, for millions of rows: each column once, none of them an object.

    types: Arrow type by column, every column. An empty string stays one, NULL is null. The query takes no parameters,
    as in ``copy_out``.
    """
    text = io.BytesIO()
    with _driver_connection(connection).cursor() as cursor:
        # Every text is quoted, so that an empty one is not taken for a missing one.
        quoted = sql.SQL(", ").join(map(sql.Identifier, types))
        command = sql.SQL("copy ({}) to stdout with (format csv, header, force_quote ({}))")
        cursor.copy_expert(command.format(sql.SQL(query), quoted).as_string(cursor), text)
    options = pyarrow.csv.ConvertOptions(
        column_types=dict(types), null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    return pyarrow.csv.read_csv(
        pyarrow.BufferReader(text.getbuffer()),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=options,
    ).combine_chunks()

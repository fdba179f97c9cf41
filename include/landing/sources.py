"""Source tables in Postgres, a team's own, as landing files: each night the rows that are new by a watermark column."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg2
from fsspec.core import url_to_fs
from psycopg2 import sql
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from include.business_time import start_of_day
from include.db.locks import lock
from include.db.sql import source as sql_text
from include.landing.batches import LandingFileError
from include.landing.discovery import as_date
from include.settings import Settings, SourceSettings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.landing.sources"
"""Two runs never write the same file at the same time."""

ROW = "source"
"""Names the relation in the export's statement, so that none of its columns is taken for a column of the file."""

WATERMARK_TYPE = "timestamp with time zone"


@dataclass(frozen=True)
class SourceSummary:
    """What a call of the stage did."""

    source_files: int = 0


def export_sources(engine: Engine, settings: Settings, *, business_date: date) -> SourceSummary:
    """Write each source's rows of the night to ``<landing>/<table>/<business_date>/source-<schema.table>.csv``.

    These are the rows whose watermark lies before the end of ``business_date`` in the business's zone and not before
    the end of the last earlier date with such a file, less the source's lag; without one, all rows so far. What lies
    within the lag comes twice and counts once, by its key.
    Rows without a watermark never come. Arrays come as JSON. The files are the only memory: a killed run leaves a
    former file or a whole one, and a rerun writes the rows as they are by then, with those that came in late and
    without those that have changed since, which come with the next night.

    Raises LandingFileError, naming each setting, when sources cannot be read as they say: only after all others.
    """
    if not settings.sources:
        return SourceSummary()
    with engine.begin() as holder:
        lock(holder, LOCK_NAME)
        _export(engine, settings, business_date)
    return SourceSummary(len(settings.sources))


def _export(engine: Engine, settings: Settings, business_date: date) -> None:
    broken: list[str] = []
    for position, source in enumerate(settings.sources):
        url = source.database_url.get_secret_value() if source.database_url else engine.url.render_as_string(False)
        where = f"sources[{position}]"
        try:
            with closing(_connect(url)) as connection, connection, connection.cursor() as cursor:
                types = _column_types(cursor, source)
                _check(types, source, where)
                _write(cursor, source, types, settings, business_date)
        except LandingFileError as error:
            broken.append(str(error))
        except psycopg2.DataError as error:
            broken.append(
                f"{where}: {source.relation} has rows that Postgres cannot give as UTF-8, or cannot compute "
                f"({type(error).__name__}): name a view without them"
            )
        except psycopg2.Error as error:
            # Without Postgres' own words: they may quote a row.
            broken.append(
                f"{where}: {source.relation} cannot be read ({type(error).__name__}): check database_url and its rights"
            )
    if broken:
        raise LandingFileError(" | ".join(broken))


def _connect(url: str) -> Any:
    parts = make_url(url)
    return psycopg2.connect(
        parts.set(drivername="postgresql").render_as_string(hide_password=False),
        client_encoding="utf8",  # landing files are, whatever the database or PGCLIENTENCODING says
        options="-c timezone=UTC -c datestyle=ISO -c default_transaction_read_only=on",
    )


def _names(source: SourceSettings) -> tuple[str, str]:
    schema, _, table = source.relation.partition(".")
    return schema, table


def _column_types(cursor: Any, source: SourceSettings) -> dict[str, str]:
    """Postgres' name of each column's type, without precision; ``ARRAY`` for any array."""
    relation = sql.Identifier(*_names(source)).as_string(cursor)
    cursor.execute(sql_text(__file__, "column_types"), [relation])
    return dict(cursor.fetchall())


def _check(types: dict[str, str], source: SourceSettings, where: str) -> None:
    if not types:
        raise LandingFileError(f"{where}.relation: there is no readable table {source.relation}; write schema.table")
    for name, column in source.columns.items():
        if column not in types:
            raise LandingFileError(
                f"{where}.columns.{name}: {source.relation} has no column {column!r}; it has {', '.join(sorted(types))}"
            )
    if types.get(source.watermark) != WATERMARK_TYPE:
        raise LandingFileError(
            f"{where}.watermark: {source.relation} needs a column {source.watermark!r} of type {WATERMARK_TYPE}"
        )


def _write(cursor: Any, source: SourceSettings, types: dict[str, str], settings: Settings, business_date: date) -> None:
    filesystem, root = url_to_fs(settings.landing)
    folder = f"{root.rstrip('/')}/{source.table}"
    name = f"source-{source.relation}.csv"
    zone = settings.business_time_zone
    until = start_of_day(business_date + timedelta(days=1), zone)
    former = _last_date_before(filesystem, folder, name, business_date)
    since = None if former is None else start_of_day(former + timedelta(days=1), zone)
    if since is not None:
        since -= timedelta(minutes=source.lag_minutes)
    target = f"{folder}/{business_date}/{name}"
    unfinished = f"{folder}/{business_date}/_{name}"  # discovery passes over what starts with an underscore
    filesystem.makedirs(f"{folder}/{business_date}", exist_ok=True)
    with filesystem.open(unfinished, "wb") as stream:
        cursor.copy_expert(_statement(source, types, since, until).as_string(cursor), stream)
    filesystem.mv(unfinished, target)
    logger.info("Source %s: rows since %s written to %s", source.relation, since or "the beginning", target)


def _last_date_before(filesystem: Any, folder: str, name: str, business_date: date) -> date | None:
    filesystem.invalidate_cache()
    days = [as_date(path.rsplit("/", 2)[-2]) for path in filesystem.glob(f"{folder}/*/{name}")]
    return max((day for day in days if day is not None and day < business_date), default=None)


def _statement(source: SourceSettings, types: dict[str, str], since: datetime | None, until: datetime) -> sql.Composed:
    """COPY takes no parameters: names and instants are quoted by the driver."""
    columns = [
        sql.SQL("{} as {}").format(_value(column, types[column], is_first=position == 0), sql.Identifier(name))
        for position, (name, column) in enumerate(source.columns.items())
    ]
    watermark = sql.Identifier(ROW, source.watermark)
    bounds = [sql.SQL("{} < {}").format(watermark, sql.Literal(until))]
    if since is not None:
        bounds.append(sql.SQL("{} >= {}").format(watermark, sql.Literal(since)))
    # As texts, since some types, json say, have no order.
    order = [watermark, *(sql.SQL("concat({})").format(sql.Identifier(ROW, name)) for name in source.columns.values())]
    return sql.SQL("copy (select {} from {} as {} where {} order by {}) to stdout with (format csv, header)").format(
        sql.SQL(", ").join(columns),
        sql.Identifier(*_names(source)),
        sql.Identifier(ROW),
        sql.SQL(" and ").join(bounds),
        sql.SQL(", ").join(order),
    )


def _value(column: str, type_: str, *, is_first: bool) -> sql.Composable:
    value: sql.Composable = sql.Identifier(ROW, column)
    if type_ == "ARRAY":
        value = sql.SQL("to_json({})").format(value)
    # An empty text is written in quotes: a row of nothing but nulls would be an empty line, which is no row.
    return sql.SQL("concat({})").format(value) if is_first else value

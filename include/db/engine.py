"""Connections to the marketing database."""

from __future__ import annotations

import re
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as PsycopgCursor
from sqlalchemy import Engine, create_engine

from include.settings import Settings

_ABOUT_VALUES = ("22", "23")
"""SQLSTATE classes (data exception, integrity constraint violation) whose DETAIL quotes rows, keys or values."""
_QUOTED_VALUE = re.compile(r': ".*"$', re.DOTALL)
"""The end of ``invalid input syntax for type integer: "ada@example.com"``."""


def make_engine(settings: Settings, statement_timeout_seconds: int | None = None) -> Engine:
    """An engine on ``settings.database_url``, its sessions in UTC.

    Its errors, which end in logs, show no bound values and no rows: these may be addresses.
    statement_timeout_seconds: Postgres ends any statement that runs longer; a task passes its own time limit.
    Raises ValueError when no database is set.
    """
    if settings.database_url is None:
        raise ValueError(
            "LAMPLIGHTER_DATABASE_URL is not set: name your Postgres "
            "(postgresql+psycopg2://user:password@host/database), or start from a make command, "
            "which brings an embedded server"
        )
    options = "-c timezone=UTC"
    if statement_timeout_seconds is not None:
        options += f" -c statement_timeout={statement_timeout_seconds}s"
    return create_engine(
        settings.database_url.get_secret_value(),
        pool_pre_ping=True,
        hide_parameters=True,
        client_encoding="utf8",  # what is copied is UTF-8, whatever PGCLIENTENCODING says
        connect_args={"options": options, "application_name": "lamplighter", "cursor_factory": _DiscreetCursor},
    )


class _DiscreetCursor(PsycopgCursor):
    """A cursor whose errors leave out what Postgres quotes of the data.

    That is the line of the statement, into which the driver has written the values, the CONTEXT, which for COPY is the
    row at hand (also when it only ran out of time), and the DETAIL of an error about values.
    """

    def execute(self, query: Any, vars: Any = None) -> None:
        try:
            super().execute(query, vars)
        except psycopg2.Error as error:
            _leave_out_data(error)
            raise

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        try:
            super().copy_expert(sql, file, size)
        except psycopg2.Error as error:
            _leave_out_data(error)
            raise


def _leave_out_data(error: psycopg2.Error) -> None:
    said = error.diag.message_primary
    if said is None:  # from the driver, of the connection
        return
    lines = [without_quoted_value(said)]
    if error.diag.message_detail and not (error.pgcode or "").startswith(_ABOUT_VALUES):
        lines.append(f"DETAIL:  {error.diag.message_detail}")
    if error.diag.message_hint:
        lines.append(f"HINT:  {error.diag.message_hint}")
    error.args = ("\n".join(lines),)


def without_quoted_value(message: str) -> str:
    """Postgres' ``message`` about a value, without the value."""
    return _QUOTED_VALUE.sub("", message)

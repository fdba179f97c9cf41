"""Connections to the marketing database."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine

from include.settings import Settings


def make_engine(settings: Settings, statement_timeout_seconds: int | None = None) -> Engine:
    """An engine on ``settings.database_url``, its sessions in UTC.

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
        connect_args={"options": options, "application_name": "lamplighter"},
    )

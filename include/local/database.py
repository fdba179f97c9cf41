"""The marketing database of the make commands: the user's own, or one on the embedded server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from sqlalchemy import create_engine

from include.db import server
from include.db.migrate import migrate
from include.local import stopping
from include.local.layout import Layout, exclusive, read_json, write_json
from include.local.processes import is_alive, start_time

MARKETING_DATABASE = "lamplighter"
METADATA_DATABASE = "airflow"
START_PATIENCE = 120.0
"""Seconds to wait for another command that starts or stops the server at this moment."""


def start_server(layout: Layout, *, keep: bool) -> bool:
    """Start the embedded server if it does not run; returns whether the caller has to stop it at its end.

    keep: it shall outlive this command, until ``stop``. A server left behind by a command that was killed passes to
    the caller; one that another living command started, or that was to be kept, does not.
    """
    record = layout.run / "postgres.json"
    with exclusive(layout.run / "postgres.lock", START_PATIENCE), stopping.deferred():
        ran = server.is_running(layout.postgres)
        try:
            server.start(layout.postgres)
        except BaseException:
            # Ctrl-C ends pg_ctl, which waits for the server, but not the server it has begun to start.
            if not ran:
                server.stop(layout.postgres)
            raise
        pid = int((layout.postgres / "postmaster.pid").read_text().split()[0])
        if ran and not _left_behind(layout, pid):
            return False
        owner = os.getpid()
        write_json(
            record,
            {
                "pid": pid,
                "started": start_time(pid),
                "keep": keep,
                "owner": {"pid": owner, "started": psutil.Process(owner).create_time()},
            },
        )
    return not keep


def _left_behind(layout: Layout, pid: int) -> bool:
    """Whether the running server ``pid`` was started by a command that should have stopped it and no longer lives."""
    known = read_json(layout.run / "postgres.json")
    return (
        known is not None
        and known["pid"] == pid
        and not known["keep"]
        and not is_alive(known["owner"]["pid"], known["owner"]["started"])
    )


def stop_server(layout: Layout) -> bool:
    """Stop the embedded server; returns whether one ran."""
    with exclusive(layout.run / "postgres.lock", START_PATIENCE):
        ran = server.is_running(layout.postgres)
        server.stop(layout.postgres)
        (layout.run / "postgres.json").unlink(missing_ok=True)
    return ran


@contextmanager
def running_server(layout: Layout) -> Iterator[None]:
    """The embedded server up for the block, and stopped after it if the block's command started it."""
    with stopping.deferred():
        ours = start_server(layout, keep=False)
    try:
        yield
    finally:
        if ours:
            with stopping.uninterrupted():
                stop_server(layout)


def embedded_url(layout: Layout) -> str:
    """SQLAlchemy URL of the marketing database on the running embedded server, made if it is not there."""
    return server.ensure_database(layout.postgres, MARKETING_DATABASE)


def metadata_url(layout: Layout) -> str:
    """SQLAlchemy URL of Airflow's own database on the running embedded server, made if it is not there."""
    return server.ensure_database(layout.postgres, METADATA_DATABASE)


def migrate_to_newest(url: str) -> None:
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"}, hide_parameters=True)
    migrate(engine)
    engine.dispose()

"""One stage by itself, without Airflow: the server up, the tables current, and its log as lines of progress."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Engine, create_engine

from include.local import database
from include.local.environment import local_settings, users_database_url
from include.local.layout import Layout
from include.local.progress import Progress
from include.settings import Settings


class StageRefused(RuntimeError):
    """The stage cannot do what it was asked; says why."""


class _Lines(logging.Handler):
    """A room's log as lines of progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self.progress(f"  {record.getMessage()}")


@contextmanager
def stage_surroundings(layout: Layout, room: str, progress: Progress) -> Iterator[tuple[Engine, Settings]]:
    """What a stage of ``room`` needs, for the length of the block; its ValueError becomes StageRefused."""
    with ExitStack() as stack:
        url = users_database_url()
        if url is None:
            progress("Postgres: starting the embedded server")
            stack.enter_context(database.running_server(layout))
            url = database.embedded_url(layout)
        database.migrate_to_newest(url)
        engine = create_engine(url, connect_args={"options": "-c timezone=UTC"}, hide_parameters=True)
        stack.callback(engine.dispose)
        log, lines = logging.getLogger(f"include.{room}"), _Lines(progress)
        log.setLevel(logging.INFO)
        log.addHandler(lines)
        stack.callback(log.removeHandler, lines)
        settings = local_settings(layout, url).settings
        try:
            yield engine, settings
        except ValueError as error:
            raise StageRefused(str(error)) from error

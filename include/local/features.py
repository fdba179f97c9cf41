"""All features of a date from events alone, with a line per step."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from datetime import date

from sqlalchemy import create_engine

from include.local import database
from include.local.environment import local_settings, users_database_url
from include.local.layout import Layout
from include.local.progress import Progress


class RebuildRefused(RuntimeError):
    """There is no date to build, or a setting is wrong; says which."""


class _Lines(logging.Handler):
    """The stage's log as lines of progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self.progress(f"  {record.getMessage()}")


def rebuild_all_features(layout: Layout, business_date: date | None, progress: Progress) -> None:
    """Build ``business_date`` (None: the date of the last build) anew, with the embedded server up meanwhile.

    Raises RebuildRefused.
    """
    from include.features import rebuild_features

    with ExitStack() as stack:
        url = users_database_url()
        if url is None:
            progress("Postgres: starting the embedded server")
            stack.enter_context(database.running_server(layout))
            url = database.embedded_url(layout)
        database.migrate_to_newest(url)
        engine = create_engine(url, connect_args={"options": "-c timezone=UTC"}, hide_parameters=True)
        stack.callback(engine.dispose)
        log, lines = logging.getLogger("include.features"), _Lines(progress)
        log.setLevel(logging.INFO)
        log.addHandler(lines)
        stack.callback(log.removeHandler, lines)
        progress("Features: from all events")
        settings = local_settings(layout, url).settings
        try:
            summary = rebuild_features(engine, settings, business_date=business_date)
        except ValueError as error:
            raise RebuildRefused(str(error)) from error
        progress(
            f"Features of {summary.business_date}: {summary.customers:,} customers, {summary.items:,} items,"
            f" {summary.interactions:,} interactions"
        )

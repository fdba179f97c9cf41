"""What the make commands do: a night, the web UI, the database's URL, stopping."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date
from pathlib import Path

from include.local import database, services, stopping
from include.local.environment import (
    LocalSettings,
    airflow_environment,
    local_settings,
    users_database_url,
)
from include.local.layout import Layout
from include.local.processes import start_time
from include.local.progress import Progress
from include.local.rest import ADMIN, AirflowClient
from include.local.runs import run_dag

OWNER_PATIENCE = 60.0
"""Seconds a command gets to end by itself before ``stop`` kills it."""
ATTACHABLE = ("make web", "make demo")
"""Commands whose Airflow stays up long enough for a night of another command to run on it."""

Surroundings = Callable[[Layout, LocalSettings], AbstractContextManager[dict[str, str]]]
"""What has to run around Airflow for the data at hand; gives further environment variables of its processes."""


@contextmanager
def prepared_house(
    layout: Layout, command: str, progress: Progress, settings_file: Path | None = None
) -> Iterator[LocalSettings]:
    """This command as the only one that runs Airflow here, with the servers up and the marketing database current."""
    with ExitStack() as stack:
        stack.enter_context(services.sole_owner(layout, command))
        progress("Postgres: starting the embedded server")
        stack.enter_context(database.running_server(layout))
        url = users_database_url() or database.embedded_url(layout)
        local = local_settings(layout, url, settings_file)
        progress("Postgres: bringing the marketing tables to the newest schema")
        database.migrate_to_newest(url)
        yield local


@contextmanager
def airflow_over(
    layout: Layout, command: str, local: LocalSettings, progress: Progress, extra: dict[str, str] | None = None
) -> Iterator[services.LocalAirflow]:
    """An Airflow, its own tables being prepared and not yet started, that is stopped after the block.

    extra: further environment variables of its processes.
    """
    environment = airflow_environment(layout, local, database.metadata_url(layout), services.free_port())
    airflow = services.LocalAirflow(layout, command, environment | (extra or {}), progress)
    try:
        airflow.begin_migration()
        yield airflow
    finally:
        airflow.stop()


def night(layout: Layout, business_date: date, progress: Progress) -> None:
    """One run of ``nightly_marketing`` to its end, on the Airflow that runs here or on one of its own.

    Raises RunFailed, StartFailed or OtherCommandRuns.
    """
    conf = {"business_date": business_date.isoformat()}
    url = _running_web(layout)
    if url is not None:
        progress(f"Using the Airflow that runs at {url}")
        with AirflowClient(url, layout.admin_password()) as client:
            client.unpause("nightly_marketing")
            seconds = run_dag(client, "nightly_marketing", conf, progress)
    else:
        with prepared_house(layout, "make night", progress) as local:
            _say_settings(local, progress)
            with airflow_over(layout, "make night", local, progress) as airflow:
                airflow.start()
                progress(f"Night of {business_date}: nightly_marketing")
                seconds = run_dag(airflow.client, "nightly_marketing", conf, progress, airflow.check_alive)
    progress(f"Night of {business_date}: done in {seconds:.0f} s")


def web(layout: Layout, progress: Progress, surroundings: Surroundings) -> None:
    """Airflow's web UI over the current data until a signal ends it."""
    with prepared_house(layout, "make web", progress) as local:
        _say_settings(local, progress)
        with (
            surroundings(layout, local) as extra,
            airflow_over(layout, "make web", local, progress, extra) as airflow,
        ):
            airflow.start()
            serve(layout, airflow, progress)


def serve(layout: Layout, airflow: services.LocalAirflow, progress: Progress) -> None:
    """Say where the UI is and keep it up; returns at Ctrl-C or another signal, which is its normal end."""
    progress.text()
    progress.text(f"Airflow's web UI:    {airflow.url}")
    progress.text(f"The Marketing page:  {airflow.url}/plugin/marketing")
    progress.text(f"User {ADMIN}, password {layout.admin_password()}  (kept in {layout.passwords})")
    progress.text("Nothing runs by the clock here; trigger runs in the UI or with `make night DATE=...`.")
    progress.text("Ctrl-C stops everything.")
    try:
        while True:
            airflow.check_alive()
            time.sleep(1)
    except stopping.Stopped:
        progress.text()


def db_url(layout: Layout) -> str:
    """SQLAlchemy URL of the marketing database, current and ready; an embedded server is left running."""
    own = users_database_url()
    if own is not None:
        return own
    database.start_server(layout, keep=True)
    url = database.embedded_url(layout)
    database.migrate_to_newest(url)
    return url


def stop(layout: Layout, progress: Progress) -> None:
    """End the command that runs here with all it started, what killed ones left behind, and the embedded server."""
    record = services.running(layout)
    if record is not None:
        progress(f"Stopping `{record['command']}` (process {record['owner']})")
        os.kill(record["owner"], signal.SIGTERM)
        deadline = time.monotonic() + OWNER_PATIENCE
        while start_time(record["owner"]) is not None and time.monotonic() < deadline:
            time.sleep(0.2)
        if start_time(record["owner"]) is not None:
            progress("It does not end by itself: killing it")
            os.kill(record["owner"], signal.SIGKILL)
    with services.sole_owner(layout, "make stop"):
        pass
    if database.stop_server(layout):
        progress("Stopped the embedded Postgres")
    progress("Nothing of Lamplighter runs here any more")


def _running_web(layout: Layout) -> str | None:
    """URL of the Airflow that another command keeps up, once it is healthy; None: there is none to use."""
    deadline = time.monotonic() + services.START_TIMEOUT
    while time.monotonic() < deadline:
        record = services.running(layout)
        if record is None or record["command"] not in ATTACHABLE:
            return None
        if record["url"] is not None and services.is_healthy(record["url"]):
            return str(record["url"])
        time.sleep(0.5)
    return None


def _say_settings(local: LocalSettings, progress: Progress) -> None:
    source = local.settings_file or "defaults and environment"
    progress(f"Settings: {source}; business time zone {local.settings.business_time_zone}")

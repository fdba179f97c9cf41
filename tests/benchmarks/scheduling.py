"""Scheduling: the decisions of one night for a million customers, beside those for a tenth of them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, insert, text

from include.db import server
from include.db.migrate import migrate
from include.db.sql import source
from include.db.tables import send_time_models
from include.scheduling.hour_model import HourModel
from include.scheduling.plan import schedule_messages
from include.scheduling.response_models import learn_responses
from include.scheduling.responses import read_responses
from include.settings import PROJECT_ROOT, Settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.peak_memory import PeakOf

DATE = date(2017, 11, 30)
EVENTS_PER_CUSTOMER = 10
FEWER = 10
MAXIMUM_SECONDS, MAXIMUM_MEGABYTES = 300.0, 6 * 1024.0
MAXIMUM_GROWTH = 1.0
"""Times what the smaller shop takes, by customer: no worse than linear."""
ROOM_SHARE = 0.02
"""Of all customers, may be written to in an hour on one channel: too few where most would be."""


def measure(folder: Path, events: int) -> list[Figure]:
    """Whole nights, read, decided and written, in processes of their own; memory is that and Postgres' together."""
    data_directory = folder / "scheduling_postgres"
    server.start(data_directory)
    try:
        customers = events // EVENTS_PER_CUSTOMER
        small, large = (_night(data_directory, size) for size in (customers // FEWER, customers))
    finally:
        server.stop(data_directory)
    growth = large["seconds"] / small["seconds"] / FEWER
    named = f"decisions of a night, {customers:,} customers × 5 campaigns × 2 channels"
    return [
        Figure(named, large["seconds"], MAXIMUM_SECONDS, "s", _in_words(large)),
        Figure("  their memory, Postgres included", large["megabytes"], MAXIMUM_MEGABYTES, "MB"),
        Figure(f"  seconds by customer beside {customers // FEWER:,}", growth, MAXIMUM_GROWTH, "×", _in_words(small)),
    ]


def _in_words(night: dict[str, Any]) -> str:
    return (
        f"read {night['read']:.1f} s, decided {night['decided']:.1f} s, written {night['written']:.1f} s; "
        f"{night['messages']:,} messages, {night['repaired']:,} repaired"
    )


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    try:
        yield engine
    finally:
        engine.dispose()


def _night(data_directory: Path, customers: int) -> dict[str, Any]:
    name = f"scheduling_{customers}"
    with (
        _engine(server.ensure_database(data_directory, "postgres")) as engine,
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        connection.execute(text(f"drop database if exists {name}"))
    url = server.ensure_database(data_directory, name)
    with _engine(url) as engine:
        fill(engine, customers)
    command = [sys.executable, "-m", "tests.benchmarks.scheduling", url, str(customers)]
    postmaster = int((data_directory / "postmaster.pid").read_text().splitlines()[0])
    with PeakOf([os.getpid(), postmaster]) as peak:
        ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told | {"megabytes": peak.megabytes}


def settings_of(url: str, customers: int) -> Settings:
    room = {"hourly_capacity": int(customers * ROOM_SHARE)}
    return Settings(
        database_url=url, business_time_zone="UTC", scheduling={"channels": {"email": room, "app_push": room}}
    )


def fill(engine: Engine, customers: int) -> None:
    """A shop of so many customers, and models before they have learned, which is not what is measured."""
    migrate(engine)
    settings = settings_of("postgresql://", customers)
    learn_responses(engine, settings, business_date=DATE)
    with engine.begin() as connection:
        connection.execute(
            text(source(__file__, "fill_scheduling_shop")), {"customers": customers, "business_date": DATE}
        )
        responses = read_responses(connection, settings, DATE)
        for channel, counts in responses.counts.items():
            sends, clicks = counts.totals
            model = HourModel.first(clicks / sends, len(responses.segments)).as_json()
            told = {"segments": responses.segments, "model": model}
            connection.execute(insert(send_time_models).values(business_date=DATE, channel=channel, parameters=told))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
        connection.execute(text("checkpoint"))


class _Times(logging.Handler):
    """What ``schedule_messages`` logs of its time."""

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and "Decided on" in record.msg:
            self.total, self.read, self.decided = (float(str(value)) for value in record.args[3:6])


def main(url: str, customers: int) -> None:
    """Print what one night took."""
    times = _Times()
    logger = logging.getLogger("include.scheduling.plan")
    logger.setLevel(logging.INFO)
    logger.addHandler(times)
    with _engine(url) as engine:
        started = time.perf_counter()
        summary = schedule_messages(engine, settings_of(url, customers), business_date=DATE)
        seconds = time.perf_counter() - started
    told = {
        "seconds": seconds,
        "read": times.read,
        "decided": times.decided,
        "written": seconds - times.read - times.decided,
        "messages": summary.messages_planned,
        "repaired": summary.messages_repaired,
        "decisions": summary.decisions,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""The quality gate over a whole history: its seconds, and its memory with the server's, beyond what both had before."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from include.db import server
from include.db.migrate import migrate
from include.settings import PROJECT_ROOT, Settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.peak_memory import PeakOf, family_megabytes
from tests.benchmarks.shop_files import DAYS, FIRST_INSTANT, EventFiles, write_event_files
from tests.benchmarks.shop_tables import copy_events, fill_customers_and_items

LAST_DAY: date = FIRST_INSTANT.astype("datetime64[D]").item() + timedelta(days=DAYS - 1)
MAXIMUM_SECONDS, MAXIMUM_MEGABYTES = 60, 500


def measure(folder: Path, events: int) -> list[Figure]:
    """The first night, which judges all of the history at once, in a process of its own."""
    files = write_event_files(folder, events)
    data_directory = folder / "quality_postgres"
    server.start(data_directory)
    try:
        url = server.ensure_database(data_directory, f"shop_{events}")
        _fill(url, files)
        _touch_shared_buffers(url)
        seconds, base, peak = _run_gate(url, folder, data_directory)
    finally:
        server.stop(data_directory)
    what = f"quality gate over {events:,} events"
    return [
        Figure(what, seconds, MAXIMUM_SECONDS, "s", "Great Expectations' import included"),
        Figure(
            f"{what}: memory",
            peak - base,
            MAXIMUM_MEGABYTES,
            "MB",
            f"beyond {base:.0f} MB of process and server; peak {peak:.0f} MB",
        ),
    ]


def _run_gate(url: str, folder: Path, data_directory: Path) -> tuple[float, float, float]:
    """Its seconds, and the megabytes before it and at most. The gate waits for a line on its input."""
    command = [sys.executable, "-m", "tests.benchmarks.quality", url, str(folder / "quality_artifacts")]
    postmaster = int((data_directory / "postmaster.pid").read_text().splitlines()[0])
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as gate:
        assert gate.stdin is not None
        assert gate.stdout is not None
        gate.stdout.readline()
        roots = [gate.pid, postmaster]
        base = family_megabytes(roots)
        with PeakOf(roots) as peak:
            gate.stdin.write("go\n")
            gate.stdin.flush()
            seconds = json.loads(gate.stdout.readline())
    if gate.returncode:
        raise subprocess.CalledProcessError(gate.returncode, command)
    return seconds, base, peak.megabytes


def _touch_shared_buffers(url: str) -> None:
    """So that memory the server has set aside since its start is not taken for the gate's."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("set local enable_seqscan = off"))
        connection.execute(text("select max(quantity) from marketing.events where customer_id < 'c15'"))
    engine.dispose()


def _fill(url: str, files: EventFiles) -> None:
    """The events by a plain COPY, for this is no benchmark of landing; what is there already is kept."""
    engine = create_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("truncate marketing.quality_results"))
        if not connection.execute(text("select count(*) from marketing.landing_files")).scalar_one():
            copy_events(connection, files.csv)
            fill_customers_and_items(connection, files.customers)
            connection.execute(
                text(
                    "insert into marketing.landing_files (table_name, business_date, file, sha256, size_bytes,"
                    " rows_accepted, rows_quarantined) values ('events', :day, 'events/all.csv', '', 0, :events, 0)"
                ),
                {"day": LAST_DAY, "events": files.events},
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    engine.dispose()


def main(url: str, artifacts: str) -> None:
    """Print a line when ready; judge after a line came in, and print the seconds."""
    from include.quality import check_data_quality

    settings = Settings(database_url=url, artifacts=artifacts, business_time_zone="UTC")
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    check_data_quality(engine, settings, business_date=LAST_DAY)
    print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The quality gate over a whole history: its seconds, and its memory beyond that of a process that imported it."""

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
from tests.benchmarks.peak_memory import peak_megabytes
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
        command = [sys.executable, "-m", "tests.benchmarks.quality", url, str(folder / "quality_artifacts")]
        ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    finally:
        server.stop(data_directory)
    seconds, base, peak = json.loads(ran.stdout.splitlines()[-1])
    what = f"quality gate over {events:,} events"
    return [
        Figure(what, seconds, MAXIMUM_SECONDS, "s", "Great Expectations' import included"),
        Figure(f"{what}: memory", peak - base, MAXIMUM_MEGABYTES, "MB", f"beyond {base:.0f} MB; peak {peak:.0f} MB"),
    ]


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
    """Print seconds, base and peak megabytes. Base: this process before the gate, with what it imports at its top."""
    from include.quality import check_data_quality

    settings = Settings(database_url=url, artifacts=artifacts, business_time_zone="UTC")
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    base, start = peak_megabytes(), time.perf_counter()
    check_data_quality(engine, settings, business_date=LAST_DAY)
    print(json.dumps([time.perf_counter() - start, base, peak_megabytes()]))


if __name__ == "__main__":
    main(*sys.argv[1:])

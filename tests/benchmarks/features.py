"""Features: a full rebuild beside DuckDB's, and a night over a long history beside the same night over a short one."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Connection, Engine, create_engine, text

from include.db import server
from include.db.migrate import migrate
from include.db.sql import source
from include.db.tables import EVENT_TYPES
from include.features import build_features, rebuild_features
from include.landing.changed_days import note_rows_of
from include.landing.rules import RULES
from include.settings import PROJECT_ROOT, Settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.shop_files import DAYS, FIRST_INSTANT, EventFiles, write_event_files
from tests.benchmarks.shop_tables import copy_events, fill_customers_and_items

LAST_DAY: date = FIRST_INSTANT.astype("datetime64[D]").item() + timedelta(days=DAYS - 1)
ZONE = "Europe/Berlin"
MAXIMUM_REBUILD, MAXIMUM_NIGHT = 1.5, 1.3
"""Times DuckDB's rebuild, and times the short history's night."""
SHORT_DAYS = 36
"""A tenth of the long history, of the same customers and as many events a day."""
NIGHTS = 6
"""The first is not counted: it finds cold what a server that runs night after night has at hand."""
FORECAST_DAYS = 7
"""So that the short history is long enough for a forecast, and both do the same work."""
DUCKDB_SETTINGS = {"threads": 2, "memory_limit": "4GB"}

SUMS = {
    "daily_interactions": "count(*), sum(type_no), max(last_occurred_at)",
    "daily_activity": "count(*), count(first_purchase_at), sum(amount)",
    "daily_habits": "count(*)",
    "daily_prices": "sum(lines), sum(lines * unit_price)",
    "interaction_totals": "count(*), sum(weight), sum(window_decay), sum(event_days), sum(window_purchase_days)",
    "item_totals": "count(*), sum(buyers), sum(popularity), sum(median_price), sum(price_permille)",
    "item_prices": "count(*), sum(lines)",
    "customer_totals": "count(*), sum(event_hours), sum(purchase_days), sum(window_amount), sum(price_points)",
    "customer_hours": "count(*), sum(days), sum(weight)",
    "customer_tastes": "count(*), sum(days), sum(weight)",
}
"""What both must agree on, table by table."""


def measure(folder: Path, events: int) -> list[Figure]:
    """The nights first, then the rebuild of all days; the builds run in processes of their own."""
    files = write_event_files(folder, events)
    data_directory = folder / "features_postgres"
    server.start(data_directory)
    try:
        nights = {days: _nights(_filled(data_directory, files, days)) for days in (SHORT_DAYS, DAYS)}
        url = server.ensure_database(data_directory, f"features_{DAYS}")
        rebuild = _process("rebuild", url)[0]
        with _engine(url) as engine:
            yardstick = _rebuild_in_duckdb(folder, files, engine)
    finally:
        server.stop(data_directory)
    short, long = nights[SHORT_DAYS], nights[DAYS]
    return [
        Figure(
            f"features of {events:,} events built anew",
            rebuild / yardstick,
            MAXIMUM_REBUILD,
            "×",
            f"{rebuild:.1f} s to {yardstick:.1f} s of DuckDB's from Parquet, 2 threads",
        ),
        Figure(
            f"features of a night of {events // DAYS:,} events after {DAYS} days",
            long / short,
            MAXIMUM_NIGHT,
            "×",
            f"{long:.2f} s to {short:.2f} s after {SHORT_DAYS} days; medians of {NIGHTS - 1} nights",
        ),
    ]


@contextmanager
def _engine(url: str) -> Any:
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    try:
        yield engine
    finally:
        engine.dispose()


def _filled(data_directory: Path, files: EventFiles, days: int) -> str:
    """URL of a shop with the last ``days`` days of the events, of which the last NIGHTS wait in ``waiting_events``."""
    with (
        _engine(server.ensure_database(data_directory, "postgres")) as engine,
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        connection.execute(text(f"drop database if exists features_{days}"))
    url = server.ensure_database(data_directory, f"features_{days}")
    first = LAST_DAY - timedelta(days=days - 1)
    with _engine(url) as engine:
        migrate(engine)
        with engine.begin() as connection:
            copy_events(connection, files.csv)
            fill_customers_and_items(connection, files.customers)
            connection.execute(text("delete from marketing.events where occurred_at < :first"), {"first": first})
            connection.execute(
                text("create table waiting_events as select * from marketing.events where occurred_at >= :first"),
                {"first": LAST_DAY - timedelta(days=NIGHTS - 1)},
            )
            connection.execute(
                text("delete from marketing.events where occurred_at >= :first"),
                {"first": LAST_DAY - timedelta(days=NIGHTS - 1)},
            )
            note_rows_of(connection, RULES["events"], 1, owner=1)
        _vacuum(engine)
    return url


def _nights(url: str) -> float:
    """Seconds of a night: the median of the last of NIGHTS, after all days before them were built at once."""
    return statistics.median(_process("nights", url)[1:])


def _process(what: str, url: str) -> list[float]:
    command = [sys.executable, "-m", "tests.benchmarks.features", what, url]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    seconds: list[float] = json.loads(ran.stdout.splitlines()[-1])
    return seconds


def _land_day(connection: Connection, day: date) -> None:
    """What landing leaves of a file with the events of ``day``."""
    file_id = 2 + (day - FIRST_INSTANT.astype("datetime64[D]").item()).days
    connection.execute(
        text("update waiting_events set file_id = :file_id where occurred_at >= :day and occurred_at < :next"),
        {"file_id": file_id, "day": day, "next": day + timedelta(days=1)},
    )
    connection.execute(
        text("insert into marketing.events select * from waiting_events where file_id = :file_id order by occurred_at"),
        {"file_id": file_id},
    )
    note_rows_of(connection, RULES["events"], file_id, owner=file_id)


def _vacuum(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
        connection.execute(text("checkpoint"))


def _rebuild_in_duckdb(folder: Path, files: EventFiles, engine: Engine) -> float:
    """Seconds of the faster of two rebuilds, each into a new file; what they made equals what Postgres holds."""
    seconds = []
    features = Settings().features
    values = {
        "events": str(files.parquet),
        "zone": ZONE,
        "business_date": LAST_DAY,
        "window_start": LAST_DAY - timedelta(days=features.profile_days),
        "half_life_days": features.half_life_days,
        "event_types": list(EVENT_TYPES),
        "event_weights": [float(features.event_weights.get(name, 0.0)) for name in EVENT_TYPES],
        "purchase_no": EVENT_TYPES.index("purchase") + 1,
    }
    for _ in range(2):
        place = folder / "features.duckdb"
        place.unlink(missing_ok=True)
        start = time.perf_counter()
        with duckdb.connect(str(place), config=DUCKDB_SETTINGS) as connection:
            for statement in connection.extract_statements(source(__file__, "duckdb_features")):
                named = {name: values[name] for name in statement.named_parameters}
                connection.execute(statement, named)
        seconds.append(time.perf_counter() - start)
    with duckdb.connect(str(place)) as connection, engine.connect() as postgres:
        _compare(
            lambda query: connection.execute(query).fetchone(),
            lambda query: postgres.execute(text(query)).one(),
        )
    place.unlink()
    return min(seconds)


def _compare(ask_duckdb: Callable[[str], Any], ask_postgres: Callable[[str], Any]) -> None:
    for table, sums in SUMS.items():
        ours = [_number(value) for value in ask_postgres(f"select {sums} from marketing.{table}")]
        theirs = [_number(value) for value in ask_duckdb(f"select {sums} from {table}")]
        agree = all(math.isclose(one, other, rel_tol=1e-9) for one, other in zip(ours, theirs, strict=True))
        assert agree, f"{table}: {sums}: {ours} in Postgres, {theirs} in DuckDB"


def _number(value: Any) -> float:
    return value.timestamp() if hasattr(value, "timestamp") else float(value)


def main(what: str, url: str) -> None:
    """Print the seconds of each build."""
    settings = Settings(
        database_url=url,
        business_time_zone="UTC",
        default_customer_time_zone=ZONE,
        features={"forecast_days": FORECAST_DAYS},
    )
    seconds = []
    with _engine(url) as engine:
        if what == "rebuild":
            start = time.perf_counter()
            rebuild_features(engine, settings, business_date=LAST_DAY)
            seconds.append(time.perf_counter() - start)
        else:
            build_features(engine, settings, business_date=LAST_DAY - timedelta(days=NIGHTS))
            _vacuum(engine)
            for back in range(NIGHTS - 1, -1, -1):
                with engine.begin() as connection:
                    _land_day(connection, LAST_DAY - timedelta(days=back))
                start = time.perf_counter()
                build_features(engine, settings, business_date=LAST_DAY - timedelta(days=back))
                seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A made-up shop's events as files: the same for the same number of events, whatever the machine."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

SEED = 1
FIRST_INSTANT = np.datetime64("2024-01-01T00:00:00")
DAYS = 365
ROWS_PER_BATCH = 500_000
EVENT_TYPES = np.array(["view", "view", "view", "search", "click", "add_to_cart", "purchase"])
CUSTOMERS_PER_EVENT = 1 / 50
ITEMS = 50_000


@dataclass(frozen=True)
class EventFiles:
    """One and the same events in three formats, as the landing contract has them."""

    csv: Path
    csv_gz: Path
    parquet: Path
    events: int
    customers: int


def write_event_files(folder: Path, events: int, days: int = DAYS) -> EventFiles:
    """Write ``events`` events over ``days`` days to ``folder``; kept when they are there already."""
    customers = max(100, int(events * CUSTOMERS_PER_EVENT))
    stem = folder / f"events_{events}_{days}"
    files = EventFiles(
        stem.with_suffix(".csv"), stem.with_suffix(".csv.gz"), stem.with_suffix(".parquet"), events, customers
    )
    if files.csv_gz.exists():
        return files
    folder.mkdir(parents=True, exist_ok=True)
    csv_writer = parquet_writer = None
    for rows in _batches(events, customers, days):
        if csv_writer is None or parquet_writer is None:
            options = pyarrow.csv.WriteOptions(quoting_style="needed")
            csv_writer = pyarrow.csv.CSVWriter(files.csv, rows.schema, write_options=options)
            parquet_writer = pyarrow.parquet.ParquetWriter(files.parquet, rows.schema)
        csv_writer.write_table(rows)
        parquet_writer.write_table(rows)
    assert csv_writer is not None
    assert parquet_writer is not None
    csv_writer.close()
    parquet_writer.close()
    half_written = files.csv_gz.with_suffix(".part")
    with files.csv.open("rb") as plain, gzip.open(half_written, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    half_written.rename(files.csv_gz)
    return files


def _batches(events: int, customers: int, days: int) -> Iterator[pyarrow.Table]:
    """In the order of time, as an export has them; missing where an event type has no such thing."""
    generator = np.random.default_rng(SEED)
    seconds = days * 86_400
    for start in range(0, events, ROWS_PER_BATCH):
        count = min(ROWS_PER_BATCH, events - start)
        number = np.arange(start, start + count)
        instant = FIRST_INSTANT + (number * seconds // events).astype("timedelta64[s]")
        event_type = EVENT_TYPES[generator.integers(0, len(EVENT_TYPES), count)]
        is_purchase, is_search = event_type == "purchase", event_type == "search"
        item = np.char.add("i", (generator.zipf(1.3, count) % ITEMS).astype(str))
        price = np.round(generator.gamma(2, 5, count), 2).astype(str)
        columns = {
            "event_id": np.char.add("e", number.astype(str)),
            "event_type": event_type,
            "customer_id": np.char.add("c", generator.integers(0, customers, count).astype(str)),
            "occurred_at": np.char.add(instant.astype(str), "+00:00"),
            "item_id": np.where(is_search, None, item),
            "quantity": np.where(is_purchase, "1", None),
            "unit_price": np.where(is_purchase, price, None),
            "query": np.where(is_search, "oat milk", None),
            "order_id": np.where(is_purchase, np.char.add("o", number.astype(str)), None),
        }
        yield pyarrow.table({name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items()})

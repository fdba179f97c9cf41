"""Parquet files of the landing contract, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow
import pyarrow.parquet
from fsspec.core import url_to_fs


def write(landing: str, table: str, day: date, name: str, parts: Iterable[pyarrow.Table]) -> int:
    """Write ``<landing>/<table>/<day>/<name>.parquet`` from parts of one schema, one held at a time; returns rows."""
    filesystem, root = url_to_fs(landing)
    folder = f"{root.rstrip('/')}/{table}/{day.isoformat()}"
    # Landing passes over names that begin with a dot.
    partial = f"{folder}/.{name}.parquet"
    filesystem.makedirs(folder, exist_ok=True)
    rows, writer = 0, None
    with filesystem.open(partial, "wb") as file:
        for part in parts:
            writer = writer or pyarrow.parquet.ParquetWriter(file, part.schema)
            writer.write_table(part)
            rows += part.num_rows
        if writer is not None:
            writer.close()
    if writer is None:
        filesystem.rm(partial)
        raise ValueError(f"nothing to write as {table} of {day}")
    filesystem.mv(partial, f"{folder}/{name}.parquet")
    return rows

"""The demo's landing files: history first, then day by day; what is there already is left as it is."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from fsspec.core import url_to_fs

from include.demo.journey import FIRST_DAY, Journey
from include.demo.reactions import history_reactions

HISTORY_FILES = {
    "customers": "households.csv",
    "items": "products.csv",
    "consents": "consents.csv",
    "campaigns": "campaigns.csv",
    "message_history": "former_tool.csv",
    "engagements": "reactions_to_former_tool.csv",
    "events": "purchases.parquet",
}


def write_history(landing: str, journey: Journey) -> int:
    """Everything before the first night, in the folders of the day before it; returns the files written."""
    day = journey.first_night - timedelta(days=1)
    written = 0
    for table, name in HISTORY_FILES.items():
        if exists(landing, table, day, name):
            continue
        if table == "events":
            content = journey.purchases(FIRST_DAY, day)
        elif table == "engagements":
            content = history_reactions(journey.message_history())
        else:
            content = getattr(journey, table)()
        write_file(landing, table, day, name, content)
        written += 1
    return written


def write_day(landing: str, journey: Journey, day: date) -> bool:
    """The purchases of one day of the shop; returns whether the file was not there yet."""
    if exists(landing, "events", day, "purchases.csv"):
        return False
    write_file(landing, "events", day, "purchases.csv", journey.purchases(day, day))
    return True


def exists(landing: str, table: str, day: date, name: str) -> bool:
    filesystem, root = url_to_fs(landing)
    return bool(filesystem.exists(_path(root, table, day, name)))


def write_file(landing: str, table: str, day: date, name: str, content: pyarrow.Table | pd.DataFrame) -> None:
    """Write ``content`` in the format its name ends on; a reader sees the whole file or none."""
    filesystem, root = url_to_fs(landing)
    path = _path(root, table, day, name)
    # Landing passes over names that begin with a dot.
    partial = _path(root, table, day, f".{name}")
    filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    rows = content if isinstance(content, pyarrow.Table) else pyarrow.Table.from_pandas(content, preserve_index=False)
    with filesystem.open(partial, "wb") as file:
        if name.endswith(".parquet"):
            pyarrow.parquet.write_table(rows, file)
        else:
            pyarrow.csv.write_csv(_instants_as_text(rows), file, pyarrow.csv.WriteOptions(quoting_style="needed"))
    filesystem.mv(partial, path)


def _instants_as_text(rows: pyarrow.Table) -> pyarrow.Table:
    """ISO 8601 in UTC, whole seconds, as the landing contract asks of text."""
    for index, field in enumerate(rows.schema):
        if pyarrow.types.is_timestamp(field.type):
            text = pyarrow.compute.strftime(
                rows[field.name].cast(pyarrow.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%S+00:00"
            )
            rows = rows.set_column(index, field.name, text)
    return rows


def _path(root: str, table: str, day: date, name: str) -> str:
    return f"{root.rstrip('/')}/{table}/{day.isoformat()}/{name}"

"""Where the truth of a made-up world lies: a folder of its own, outside all that the product reads.

``messages/<day>.parquet``: the truth about each message sent on that day. ``pending/<day>/``: reactions to them that
come later, put into the landing files of their own days when these have come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pyarrow
import pyarrow.parquet

from include.settings import Settings


@dataclass(frozen=True)
class TruthFolder:
    """Made by ``at``, which refuses a folder that the product could read."""

    root: Path

    @classmethod
    def at(cls, root: Path, settings: Settings) -> Self:
        """Raises ValueError when ``root`` and the landing root or the artifacts lie within each other."""
        root = root.resolve()
        for name in ("landing", "artifacts"):
            given: str = getattr(settings, name)
            parts = urlsplit(given)
            if parts.scheme not in ("", "file"):
                continue
            readable = Path(parts.path).resolve()
            if root.is_relative_to(readable) or readable.is_relative_to(root):
                raise ValueError(f"the truth must not lie where the product reads: {root} and {name} {readable}")
        return cls(root)

    def write_messages(self, day: date, rows: pyarrow.Table) -> None:
        _write(self.root / "messages" / f"{day}.parquet", rows)

    def messages(self, schema: pyarrow.Schema) -> pyarrow.Table:
        """The truth about every message so far, in order of day."""
        files = sorted((self.root / "messages").glob("*.parquet"))
        return pyarrow.concat_tables([schema.empty_table(), *map(pyarrow.parquet.read_table, files)])

    def write_pending(self, day: date, table: str, rows: pyarrow.Table) -> None:
        _write(self.root / "pending" / str(day) / f"{table}.parquet", rows)

    def pending(self, day: date, table: str, schema: pyarrow.Schema) -> pyarrow.Table:
        """What was still to come after ``day``; no rows where nothing was written."""
        path = self.root / "pending" / str(day) / f"{table}.parquet"
        return pyarrow.parquet.read_table(path) if path.exists() else schema.empty_table()


def _write(path: Path, rows: pyarrow.Table) -> None:
    """A reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pyarrow.parquet.write_table(rows, partial)
    partial.replace(path)

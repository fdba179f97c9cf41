"""The room's named SQL files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import TextClause, text


@cache
def query(name: str) -> TextClause:
    """The statement in ``sql/<name>.sql``."""
    return text((Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8"))

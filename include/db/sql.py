"""The named SQL files of a room: ``sql/<name>.sql`` beside the module that runs them, read once per process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import TextClause, text


@cache
def source(module_file: str, name: str) -> str:
    """The text of ``sql/<name>.sql``, for COPY, which takes no bound values; module_file: the caller's ``__file__``."""
    return (Path(module_file).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def statement(module_file: str, name: str) -> TextClause:
    """The statement in ``sql/<name>.sql`` with its ``:values`` to bind; module_file: the caller's ``__file__``."""
    return text(source(module_file, name))

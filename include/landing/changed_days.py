"""The UTC days whose events a load added, replaced or took away, so that a night computes those days alone.

Noted in the load's own transaction under the file's new id. Ids only grow: whoever knows the largest id it has dealt
with finds in ``changed_event_days`` just the days that changed since. Days of tables other than events are not noted.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Date, FromClause, Select, cast, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from include.db.sql import statement
from include.db.tables import changed_event_days, events
from include.landing.kinds import Expression
from include.landing.rules import Rules


def note_rows_of(connection: Connection, rules: Rules, file_id: int, owner: int) -> None:
    """Note the days of all rows that the file ``owner`` has in the table now."""
    if rules.table is events:
        _note_selected(connection, file_id, select(_utc_day()).where(events.c.file_id == owner))


def note_all_rows(connection: Connection, rules: Rules, file_id: int) -> None:
    """Note the days of all rows in the table, all of them the file's; a step in the index of instants per day."""
    if rules.table is events:
        days = statement(__file__, "all_event_days").columns(utc_day=Date()).subquery()
        _note_selected(connection, file_id, select(days.c.utc_day))


def note_rows_to_replace(
    connection: Connection, rules: Rules, file_id: int, staged: FromClause, kept_files: list[int]
) -> None:
    """Note the days of rows in the table that have a key of ``staged``, those of ``kept_files`` aside."""
    if rules.table is not events:
        return
    days = select(_utc_day()).join(staged, events.c.event_id == staged.c.event_id)
    _note_selected(connection, file_id, days.where(events.c.file_id.not_in(kept_files)) if kept_files else days)


def _utc_day() -> Expression:
    return cast(func.timezone("UTC", events.c.occurred_at), Date).label("utc_day")


def _note_selected(connection: Connection, file_id: int, days: Select[Any]) -> None:
    distinct = days.distinct().subquery()
    noting = upsert(changed_event_days).from_select(
        ["utc_day", "file_id"], select(distinct.c.utc_day, literal(file_id, changed_event_days.c.file_id.type))
    )
    connection.execute(
        noting.on_conflict_do_update(index_elements=["utc_day"], set_={"file_id": noting.excluded.file_id})
    )

"""Staged rows to their table or to quarantine, by sets. A row is judged once and lands in exactly one of the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Insert,
    Table,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, array
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.schema import AddConstraint, CreateIndex, DropConstraint, DropIndex
from sqlalchemy.types import Text

from include.db.tables import PROVENANCE_COLUMNS, landing_files, quarantined_rows
from include.landing.batches import ROW_NUMBER, UnreadableRow
from include.landing.changed_days import note_rows_to_replace
from include.landing.discovery import LandingFile
from include.landing.kinds import Expression
from include.landing.ownership import later_than
from include.landing.rules import Rules, refusal
from include.landing.staging import Staging

_PAIRS_PER_CALL = 40
"""Postgres functions take 100 arguments at most."""

REBUILD_INDEXES_FROM_ROWS = 50_000
"""An empty table that receives this many rows gets its indexes afterwards."""


def quarantine_unreadable(connection: Connection, file: LandingFile, file_id: int, rows: list[UnreadableRow]) -> int:
    """Rows that could not be read as text at all; returns their number."""
    if rows:
        connection.execute(
            insert(quarantined_rows),
            [
                _identity(file, file_id) | {"row_number": row.row_number, "reason": row.reason, "row": row.row}
                for row in rows
            ],
        )
    return len(rows)


def quarantine_refused(connection: Connection, file: LandingFile, file_id: int, rules: Rules, staging: Staging) -> int:
    """Move every staged row that breaks a rule to quarantine with all its reasons; returns their number."""
    judged = select(staging.table.c[ROW_NUMBER], refusal(rules, staging.table).label("reason")).subquery()
    refused = connection.execute(
        insert(staging.refusals).from_select([ROW_NUMBER, "reason"], select(judged).where(judged.c.reason != ""))
    ).rowcount
    return _move_refused(connection, file, file_id, rules, staging) if refused else 0


def quarantine_repeated(connection: Connection, file: LandingFile, file_id: int, rules: Rules, staging: Staging) -> int:
    """Of rows with the same key in one file keep the last; move the others to quarantine; returns their number.

    To be called once only good rows are staged, since the key is compared as its type, not as its text.
    """
    rows = staging.table
    key_names = [column.name for column in rules.table.primary_key]
    keys = [rules.value(rows, name).label(name) for name in key_names]
    last = (
        select(*keys, func.max(rows.c[ROW_NUMBER]).label("kept"))
        .group_by(*keys)
        .having(func.count() > 1)
        .subquery("last")
    )
    repeated = select(
        rows.c[ROW_NUMBER],
        func.concat("the same ", ", ".join(key_names), " stands again in row ", last.c.kept, ", which counts"),
    ).join(
        last,
        and_(
            *(rules.value(rows, name) == last.c[name] for name in key_names),
            rows.c[ROW_NUMBER] < last.c.kept,
        ),
    )
    refused = connection.execute(insert(staging.refusals).from_select([ROW_NUMBER, "reason"], repeated)).rowcount
    return _move_refused(connection, file, file_id, rules, staging) if refused else 0


def merge(
    connection: Connection, file: LandingFile, file_id: int, rules: Rules, staging: Staging, row_count: int
) -> None:
    """Insert the ``row_count`` staged rows, all of them good; a row of an earlier file with the same key gives way.

    Files are ordered by (folder date, path): a row that came from a later file stays, however late this one arrives.
    """
    table = rules.table
    names = [
        *(name for name, _ in rules.derived),
        *(name for name in staging.given if name != rules.object_column),
    ]
    values = [rules.value(staging.table, name) for name in names]
    if staging.extras or rules.object_column in staging.given:
        names.append(rules.object_column)
        values.append(_object(rules, staging))
    names += PROVENANCE_COLUMNS
    values += [literal(file_id, BigInteger), staging.table.c[ROW_NUMBER]]
    rows = select(*values)
    if not connection.execute(select(select(table).limit(1).exists())).scalar():
        # Nothing can collide in an empty table.
        statement = insert(table).from_select(names, rows)
        if row_count >= REBUILD_INDEXES_FROM_ROWS:
            _fill(connection, table, statement)
        else:
            connection.execute(statement)
        return
    key_names = [column.name for column in table.primary_key]
    later = _later_files(connection, file)
    keys = select(*(rules.value(staging.table, name).label(name) for name in key_names)).subquery()
    note_rows_to_replace(connection, rules, file_id, keys, later)
    collision = upsert(table).from_select(names, rows)
    replaced = [*rules.column_names, *PROVENANCE_COLUMNS]
    connection.execute(
        collision.on_conflict_do_update(
            index_elements=key_names,
            set_={name: collision.excluded[name] for name in replaced if name not in key_names},
            where=table.c.file_id.not_in(later) if later else None,
        )
    )


def _fill(connection: Connection, table: Table, statement: Insert) -> None:
    """Insert into an empty table; its indexes are built afterwards, in a third of the time, and statistics gathered.

    They are gone for this transaction only: other sessions wait for it and never see the table without them.
    """
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    connection.execute(DropConstraint(table.primary_key))
    for index in indexes:
        connection.execute(DropIndex(index, if_exists=True))
    connection.execute(statement)
    connection.execute(AddConstraint(table.primary_key, isolate_from_table=False))
    for index in indexes:
        connection.execute(CreateIndex(index))
    # The next stage reads at once, before autovacuum has told the planner how large the table is.
    connection.execute(text(f"analyze {connection.dialect.identifier_preparer.format_table(table)}"))


def _later_files(connection: Connection, file: LandingFile) -> list[int]:
    return list(connection.execute(select(landing_files.c.file_id).where(later_than(file))).scalars())


def _move_refused(connection: Connection, file: LandingFile, file_id: int, rules: Rules, staging: Staging) -> int:
    rows, refusals = staging.table, staging.refusals
    identity = _identity(file, file_id)
    moved = connection.execute(
        insert(quarantined_rows).from_select(
            [*identity, "row_number", "reason", "row"],
            select(
                *(literal(value, quarantined_rows.c[name].type) for name, value in identity.items()),
                rows.c[ROW_NUMBER],
                refusals.c.reason,
                _as_json_text(rows, staging),
            )
            .join(refusals, rows.c[ROW_NUMBER] == refusals.c[ROW_NUMBER])
            .order_by(rows.c[ROW_NUMBER]),
        )
    ).rowcount
    connection.execute(delete(rows).where(rows.c[ROW_NUMBER] == refusals.c[ROW_NUMBER]))
    connection.execute(delete(refusals))
    return moved


def _identity(file: LandingFile, file_id: int) -> dict[str, Any]:
    return {
        "table_name": file.table_name,
        "business_date": file.business_date,
        "file_id": file_id,
        "file": file.path,
    }


def _as_json_text(rows: Table, staging: Staging) -> Expression:
    """The row as it stood in the file: names and texts, missing values left out."""
    pairs = [(name, name) for name in staging.given] + [(column, name) for column, name, _ in staging.extras]
    names = cast(array([name for _, name in pairs]), ARRAY(Text))
    texts = cast(array([rows.c[column] for column, _ in pairs]), ARRAY(Text))
    return cast(func.json_strip_nulls(func.json_object(names, texts)), Text)


def _object(rules: Rules, staging: Staging) -> Expression:
    """The file's own JSON object, if any, and every column without a place, under its name in the file."""
    rows = staging.table
    parts: list[Expression] = []
    if rules.object_column in staging.given:
        parts.append(func.coalesce(cast(rows.c[rules.object_column], JSONB), cast("{}", JSONB)))
    for start in range(0, len(staging.extras), _PAIRS_PER_CALL):
        arguments: list[Any] = []
        for column, name, is_json in staging.extras[start : start + _PAIRS_PER_CALL]:
            arguments += [literal(name, Text), _json_value(rows.c[column]) if is_json else rows.c[column]]
        parts.append(func.jsonb_strip_nulls(func.jsonb_build_object(*arguments)))
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.op("||")(part)
    return joined


def _json_value(value: Any) -> Expression:
    """The text as JSON; what JSON cannot say (NaN) stays a text."""
    return case((func.pg_input_is_valid(value, "jsonb"), cast(value, JSONB)), else_=func.to_jsonb(value))


def set_work_memory(connection: Connection) -> None:
    """Room to find repeated keys among millions of rows and to build indexes, for this transaction."""
    connection.execute(text("set local work_mem = '128MB'"))
    connection.execute(text("set local maintenance_work_mem = '256MB'"))

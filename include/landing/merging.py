"""Staged rows to their table or to quarantine, by sets. A row is judged once and lands in exactly one of the two."""

from __future__ import annotations

from typing import Any

import pyarrow
from sqlalchemy import (
    BigInteger,
    Connection,
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
from sqlalchemy.schema import AddConstraint
from sqlalchemy.types import Text

from include.db.tables import PROVENANCE_COLUMNS, landing_files, quarantined_rows
from include.landing.batches import ROW_NUMBER, UnreadableRow
from include.landing.changed_days import note_rows_to_replace
from include.landing.discovery import LandingFile
from include.landing.kinds import Expression
from include.landing.ownership import later_than
from include.landing.rules import Rules, refusal
from include.landing.staging import Staging, copy_csv
from include.landing.target import Target, add_key, finish

_PAIRS_PER_CALL = 40
"""Postgres functions take 100 arguments at most."""


def quarantine_unreadable(connection: Connection, file: LandingFile, file_id: int, rows: list[UnreadableRow]) -> int:
    """Rows that could not be read as text at all; returns their number."""
    identity = _identity(file, file_id)
    columns = {
        **{name: pyarrow.array([str(value)] * len(rows)) for name, value in identity.items()},
        "row_number": pyarrow.array([row.row_number for row in rows], pyarrow.int64()),
        "reason": pyarrow.array([row.reason for row in rows], pyarrow.string()),
        "row": pyarrow.array([row.row for row in rows], pyarrow.string()),
    }
    copy_csv(connection, quarantined_rows, pyarrow.table(columns))
    return len(rows)


def quarantine_refused(connection: Connection, file: LandingFile, file_id: int, rules: Rules, staging: Staging) -> int:
    """Move every staged row that breaks a rule to quarantine with all its reasons; returns their number."""
    judged = select(staging.table.c[ROW_NUMBER], refusal(rules, staging.table).label("reason")).subquery()
    refused = connection.execute(
        insert(staging.refusals).from_select([ROW_NUMBER, "reason"], select(judged).where(judged.c.reason != ""))
    ).rowcount
    return move_refused(connection, file, file_id, staging) if refused else 0


def add_staged(connection: Connection, file_id: int, rules: Rules, staging: Staging, target: Target) -> None:
    """Add the staged rows, all of them good, to the target; the staging table is empty afterwards."""
    names = [
        *(name for name, _ in rules.derived),
        *(name for name in staging.places.given if name != rules.object_column),
    ]
    values = [rules.value(staging.table, name) for name in names]
    if staging.places.extras or rules.object_column in staging.places.given:
        names.append(rules.object_column)
        values.append(_object(rules, staging))
    names += PROVENANCE_COLUMNS
    values += [literal(file_id, BigInteger), staging.table.c[ROW_NUMBER]]
    connection.execute(insert(target.table).from_select(names, select(*values)))
    connection.execute(delete(staging.table))


def note_repeated(connection: Connection, rules: Rules, staging: Staging, target: Target) -> int:
    """Of rows of the target with the same key keep the last; note the others in ``refusals``; returns their number.

    The landing table itself, filled without its key, has it again afterwards: where it can be given, nothing repeats.
    """
    if target.is_final and add_key(connection, rules.table):
        return 0
    rows = target.table
    key_names = [column.name for column in rules.table.primary_key]
    keys = [rows.c[name] for name in key_names]
    last = (
        select(*keys, func.max(rows.c[ROW_NUMBER]).label("kept"))
        .group_by(*keys)
        .having(func.count() > 1)
        .subquery("last")
    )
    same_key = and_(*(rows.c[name] == last.c[name] for name in key_names), rows.c[ROW_NUMBER] < last.c.kept)
    reason = func.concat("the same ", ", ".join(key_names), " stands again in row ", last.c.kept, ", which counts")
    repeated = select(rows.c[ROW_NUMBER], reason).join(last, same_key)
    count = connection.execute(insert(staging.refusals).from_select([ROW_NUMBER, "reason"], repeated)).rowcount
    if count:
        connection.execute(delete(rows).where(rows.c[ROW_NUMBER] == staging.refusals.c[ROW_NUMBER]))
    if target.is_final:
        connection.execute(AddConstraint(rules.table.primary_key, isolate_from_table=False))
    return count


def move_refused(connection: Connection, file: LandingFile, file_id: int, staging: Staging) -> int:
    """Move the staged rows that ``refusals`` has to quarantine; returns their number."""
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


def publish(connection: Connection, file: LandingFile, file_id: int, rules: Rules, target: Target) -> None:
    """Make the target's rows the table's; a row of an earlier file with the same key gives way.

    Files are ordered by (folder date, path): a row that came from a later file stays, however late this one arrives.
    """
    table = rules.table
    if target.is_final:
        finish(connection, table)
        return
    key_names = [column.name for column in table.primary_key]
    later = _later_files(connection, file)
    note_rows_to_replace(connection, rules, file_id, target.table, later)
    names = [column.name for column in target.table.c]
    collision = upsert(table).from_select(names, select(target.table))
    replaced = [*rules.column_names, *PROVENANCE_COLUMNS]
    connection.execute(
        collision.on_conflict_do_update(
            index_elements=key_names,
            set_={name: collision.excluded[name] for name in replaced if name not in key_names},
            where=table.c.file_id.not_in(later) if later else None,
        )
    )


def _later_files(connection: Connection, file: LandingFile) -> list[int]:
    return list(connection.execute(select(landing_files.c.file_id).where(later_than(file))).scalars())


def _identity(file: LandingFile, file_id: int) -> dict[str, Any]:
    return {
        "table_name": file.table_name,
        "business_date": file.business_date,
        "file_id": file_id,
        "file": file.path,
    }


def _as_json_text(rows: Table, staging: Staging) -> Expression:
    """The row as it stood in the file: names and texts, missing values left out."""
    pairs = [(name, name) for name in staging.places.given] + [
        (column, name) for column, name, _ in staging.places.extras
    ]
    names = cast(array([name for _, name in pairs]), ARRAY(Text))
    texts = cast(array([rows.c[column] for column, _ in pairs]), ARRAY(Text))
    return cast(func.json_strip_nulls(func.json_object(names, texts)), Text)


def _object(rules: Rules, staging: Staging) -> Expression:
    """The file's own JSON object, if any, and every column without a place, under its name in the file."""
    rows = staging.table
    parts: list[Expression] = []
    if rules.object_column in staging.places.given:
        parts.append(func.coalesce(cast(rows.c[rules.object_column], JSONB), cast({}, JSONB)))
    for start in range(0, len(staging.places.extras), _PAIRS_PER_CALL):
        arguments: list[Any] = []
        for column, name, is_json in staging.places.extras[start : start + _PAIRS_PER_CALL]:
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
    connection.execute(text("set local maintenance_work_mem = '512MB'"))

"""What the team expects of its data by settings alone (``quality.expectations``), judged like the gate's own checks.

Customers, items and campaigns are judged as they are now, the other tables by what has not been judged (see
``unjudged``). SQL of the settings runs in read-only transactions. The rows that meet the condition of a ``rows_where``
are written to quality_failures in full, and reported only; other expectations count theirs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    DateTime,
    Engine,
    Select,
    Text,
    TextClause,
    bindparam,
    cast,
    insert,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DataError, DBAPIError, InternalError, ProgrammingError

from include.db.engine import without_quoted_value
from include.db.tables import LANDING_TABLES, PROVENANCE_COLUMNS, quality_failures
from include.expectation_catalogue import ROWS_WHERE, judges_rows
from include.quality.expectations import expectation_of
from include.quality.facts import Fact, Facts
from include.quality.rules import RULES
from include.quality.suites import Check, Suite
from include.settings import ExpectationSettings

logger = logging.getLogger(__name__)

JUDGED_WHOLE = ("customers", "items", "campaigns")
NAME = "setting {}"
"""Of the suite of each; one suite each, so that one that cannot be computed spoils no other."""
_ROWS_AT_ONCE = 5000
_LOOKS_BOUND = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
"""What SQLAlchemy takes for a value to bind."""


class InvalidExpectation(ValueError):
    """An expectation of the settings that cannot be judged; the message names the setting."""


def own_suites(
    engine: Engine, expected: Sequence[ExpectationSettings], parameters: dict[str, str]
) -> tuple[Suite, ...]:
    """A suite for each; ``parameters``: the bound values of the gate's queries.

    Raises InvalidExpectation when Great Expectations refuses an argument, or Postgres a condition. Nothing is judged.
    """
    suites = []
    for position, one in enumerate(expected):
        check = _check(one)
        problem = _refused_name(one) or _refused_arguments(check) or _refused_condition(engine, one, parameters)
        if problem:
            raise InvalidExpectation(f"quality.expectations.{position} ({one.expectation} of {one.table}): {problem}")
        query = _as_text(engine, _judged_rows(one.table), parameters)
        suites.append(Suite(NAME.format(position), (check,), query))
    return tuple(suites)


def write_own_failures(
    connection: Connection,
    engine: Engine,
    business_date: date,
    expected: Sequence[ExpectationSettings],
    parameters: dict[str, str],
) -> Facts:
    """Add the rows that meet a condition to the date's quality_failures; how many, for each of these expectations.

    They are read by ``engine``, since the caller's transaction writes. Left out is what Postgres cannot compute.
    """
    facts: Facts = {}
    for one in expected:
        if one.condition is None:
            continue
        try:
            batches = _failing_rows(engine, one, one.condition, parameters)
            failing = sum(_write(connection, business_date, one, rows) for rows in batches)
        except (DataError, InternalError, ProgrammingError):
            # Great Expectations, asking the same of the same rows, finds that it cannot be computed, and says why.
            logger.warning("The rows where %s of %s could not be read", one.label, one.table)
        else:
            facts[one.table, f"{ROWS_WHERE} {one.label}"] = Fact(failing, failing)
    return facts


def _write(connection: Connection, business_date: date, one: ExpectationSettings, rows: Sequence[Sequence[Any]]) -> int:
    connection.execute(
        insert(quality_failures),
        [
            {
                "business_date": business_date,
                "table_name": one.table,
                "rule": one.label,
                "column_name": "",
                "row_key": "|".join(map(_key_part, key)),
                "file_id": file_id,
                "row_number": row_number,
                "reason": f"is one where {_one_line(one.condition or '')}",
                "is_set_aside": False,
            }
            for *key, file_id, row_number in rows
        ],
    )
    return len(rows)


def _check(one: ExpectationSettings) -> Check:
    if one.condition is not None:
        says = "{count} rows where " + _literal(_one_line(one.condition))
        arguments = {"unexpected_rows_query": _failing_of_batch(one, one.condition)}
        return Check(one.table, one.expectation, one.severity, says, one.label, arguments)
    given = ", ".join(f"{name} {value}" for name, value in one.arguments.items() if name != "column")
    what = _literal(" ".join([one.expectation, *([f"of {one.column}"] if one.column else [])]))
    what += _literal(f" ({given})") if given else ""
    unit = "values" if one.column else "rows"
    says = (
        f"{{count}} of {{rows}} {unit} break {what}"
        if judges_rows(one.expectation)
        else f"{what}: {{observed}} observed"
    )
    return Check(one.table, one.expectation, one.severity, says, one.label, one.arguments)


def _refused_name(one: ExpectationSettings) -> str | None:
    taken = {rule.rule for rule in RULES if rule.table_name == one.table}
    return f"name: {one.label!r} is the name of a rule of the gate's own" if one.label in taken else None


def _refused_arguments(check: Check) -> str | None:
    from pydantic.v1 import ValidationError

    try:
        expectation_of(check, {})
    except ValidationError as error:
        said = dict.fromkeys(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return "; ".join(said)
    return None


def _refused_condition(engine: Engine, one: ExpectationSettings, parameters: dict[str, str]) -> str | None:
    if one.condition is None:
        return None
    try:
        with engine.connect().execution_options(postgresql_readonly=True) as connection:
            connection.execute(_failing(one, one.condition).limit(0), parameters)
    except DBAPIError as error:
        return f"condition: {without_quoted_value(str(error.orig).strip().splitlines()[0])}"
    return None


def _failing_rows(
    engine: Engine, one: ExpectationSettings, condition: str, parameters: dict[str, str]
) -> Iterator[Sequence[Sequence[Any]]]:
    options = {"postgresql_readonly": True, "stream_results": True, "yield_per": _ROWS_AT_ONCE}
    with engine.connect().execution_options(**options) as connection:
        yield from connection.execute(_failing(one, condition), parameters).partitions()


def _failing(one: ExpectationSettings, condition: str) -> Select[Any]:
    """Key and origin of the judged rows that meet the condition."""
    rows = _judged_rows(one.table).subquery(one.table)
    keys = (*LANDING_TABLES[one.table].primary_key.columns.keys(), *PROVENANCE_COLUMNS)
    return select(*(rows.c[key] for key in keys)).where(_clause(condition))


def _failing_of_batch(one: ExpectationSettings, condition: str) -> str:
    """The query that Great Expectations counts the rows of, with its own name for those that are judged."""
    rows = select(literal_column("*")).select_from(text("{batch}")).subquery(one.table)
    query: Select[Any] = (
        select(literal_column("1").label("failing")).select_from(rows).where(_clause(_literal(condition)))
    )
    return _nothing_bound(str(query))


def _clause(condition: str) -> TextClause:
    """The condition alone on its lines, so that a comment in it ends there."""
    return text(f"(\n{_nothing_bound(condition)}\n)")


def _nothing_bound(words: str) -> str:
    return _LOOKS_BOUND.sub(r"\\:\1", words)


def _judged_rows(table: str) -> Select[Any]:
    rows = LANDING_TABLES[table]
    if table in JUDGED_WHOLE:
        return select(rows)
    in_files = rows.c.file_id == cast(_bound("unjudged_files"), ARRAY(BigInteger)).any_()
    if table != "events":
        return select(rows).where(in_files)
    instant = DateTime(timezone=True)
    since = rows.c.occurred_at >= cast(_bound("unjudged_since"), instant)
    return select(rows).where(rows.c.occurred_at < cast(_bound("day_end"), instant), or_(since, in_files))


def _bound(name: str) -> Any:
    return bindparam(name, type_=Text)


def _as_text(engine: Engine, query: Select[Any], parameters: dict[str, str]) -> str:
    """With its values as quoted literals, since Great Expectations binds none."""
    used = {name: parameters[name] for name in query.compile().params}
    bound = query.params(**used)
    return str(bound.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))


def _literal(words: str) -> str:
    """For str.format, which both the findings and Great Expectations' queries go through."""
    return words.replace("{", "{{").replace("}", "}}")


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _key_part(value: Any) -> str:
    """An instant as the gate's own rules write it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)

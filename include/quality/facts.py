"""The numbers that the suites judge, each computed once, in one transaction with the failing rows it counts.

Great Expectations would run a suite's query three times, once of these fetching every row to learn the names of its
columns. So Postgres counts, and Great Expectations judges the counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, text
from sqlalchemy.dialects import postgresql

from include.db.sql import source, statement
from include.db.tables import EVENT_TYPES, LANDING_TABLES
from include.quality.rules import RULES, make_table, write_failures
from include.quality.unjudged import FIRST

PLANNING = {
    # For the hash tables and sorts of a first night's whole history; a normal night uses little of it.
    "work_mem": "48MB",
    # Few rows fail, which the planner cannot know: it would not share such work out.
    "parallel_tuple_cost": "0",
}
"""Settings of Postgres while the rows are judged."""
_WIDE = ("event_facts", "event_mix")
"""Queries whose one row has a column per fact about events."""


@dataclass(frozen=True)
class Fact:
    """A number to be judged. Of a share: how many of how many."""

    observed: float
    unexpected: int = 0
    rows: int = 0
    detail: str = ""

    @classmethod
    def share(cls, unexpected: int, rows: int) -> Fact:
        return cls(unexpected / rows if rows else 0.0, unexpected, rows)


Facts = dict[tuple[str, str], Fact]
"""By table and name."""


def schema_facts(connection: Connection) -> Facts:
    """For each landing table the number of columns that are not as ``include/db/tables.py`` has them."""
    columns = [(table.name, column) for table in LANDING_TABLES.values() for column in table.columns]
    faults = connection.execute(
        statement(__file__, "schema_faults"),
        {
            "tables": [table for table, _ in columns],
            "columns": [column.name for _, column in columns],
            "types": [_type_name(column) for _, column in columns],
            "required": [not column.nullable for _, column in columns],
        },
    ).all()
    facts: Facts = {}
    for table in LANDING_TABLES:
        said = ", ".join(f"{fault.column_name} {fault.fault}" for fault in faults if fault.table_name == table)
        count = sum(fault.table_name == table for fault in faults)
        facts[table, "schema"] = Fact(count, count, len(LANDING_TABLES[table].columns), said and f": {said}")
    return facts


def gather_facts(connection: Connection, parameters: dict[str, str], newest_file: int) -> Facts:
    """All other facts. Replaces the business date's rows of quality_failures, in the caller's transaction.

    ``parameters``: those of ``Unjudged``, the settings' and the shop's.
    """
    for name, value in PLANNING.items():
        connection.execute(text("select set_config(:name, :value, true)"), {"name": name, "value": value})
    if parameters["unjudged_since"] == FIRST:
        # Right after the first load Postgres knows nothing of the tables, and plans as if they were small.
        connection.execute(text("analyze marketing.customers, marketing.items, marketing.events"))
    values = parameters | {"event_types": list(EVENT_TYPES)}
    for name in ("judged_events", "repeated_moments", "repeated_events"):
        make_table(connection, name, source(__file__, name), values)
    write_failures(connection, values | _usual_amounts(connection, values))
    facts = {
        ("landing_files", "newest_file"): Fact(newest_file),
        # Where no event at all is judged, there is no folder.
        ("events", "unknown_customer_share"): Fact.share(0, 0),
        ("events", "unknown_item_share"): Fact.share(0, 0),
    }
    for query in ("event_shares", "other_shares"):
        for row in connection.execute(statement(__file__, query), values):
            share = Fact.share(int(row.unexpected), int(row.rows))
            facts[row.table_name, row.name] = Fact(share.rows) if row.name == "rows" else share
    for query in _WIDE:
        for name, observed in connection.execute(statement(__file__, query), values).mappings().one().items():
            facts["events", name] = Fact(float(observed))
    return facts | dict(_rules(connection, values)) | dict(_landing(connection, values))


def _usual_amounts(connection: Connection, values: dict[str, Any]) -> dict[str, list[Any]]:
    """As lists to be bound, since only one process may read a temporary table."""
    rows = connection.execute(statement(__file__, "usual_amounts"), values).all()
    return {
        "categories": [row.category for row in rows],
        "prices": [row.price for row in rows],
        "price_distances": [row.price_distance for row in rows],
        "quantities": [row.quantity for row in rows],
        "quantity_distances": [row.quantity_distance for row in rows],
    }


def _rules(connection: Connection, values: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Fact]]:
    broken = {
        f"{row.table_name}.{row.rule}": row for row in connection.execute(statement(__file__, "failing_rules"), values)
    }
    for rule in RULES:
        row = broken.get(rule.name)
        failing = int(row.failing) if row else 0
        yield (rule.table_name, rule.rule), Fact(failing, failing)
        yield (rule.table_name, f"{rule.rule}_share"), Fact((row and row.share) or 0.0, failing)


def _landing(connection: Connection, values: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Fact]]:
    for table in LANDING_TABLES:
        yield (table, "quarantined_share"), Fact.share(0, 0)
        yield (table, "quarantined_share_of_few"), Fact.share(0, 0)
    for row in connection.execute(statement(__file__, "landing_shares"), values):
        name = "quarantined_share" if row.is_many else "quarantined_share_of_few"
        yield (row.table_name, name), Fact.share(int(row.unexpected), int(row.rows))


def _type_name(column: Column[Any]) -> str:
    """As Postgres' format_type gives it, which tells no collation."""
    name = column.type.compile(dialect=postgresql.dialect()).partition(" COLLATE ")[0]
    return name.lower().replace(", ", ",")

"""Small worlds for the tests of features: landed rows in, the three feature tables out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert, select, text

from include.db.tables import customer_features, customers, events, interactions, item_features, items
from include.landing.changed_days import note_rows_of
from include.landing.rules import RULES

_numbers = itertools.count(1)


def land(
    engine: Engine,
    *,
    customer_rows: Iterable[dict[str, Any]] = (),
    item_rows: Iterable[dict[str, Any]] = (),
    event_rows: Iterable[dict[str, Any]] = (),
) -> None:
    """Put rows in as landing would, from a file newer than all before; an event gets an id of its own."""
    file_id = next(_numbers)
    with engine.begin() as connection:
        for table, rows in ((customers, customer_rows), (items, item_rows), (events, event_rows)):
            landed = [row | {"file_id": file_id, "row_number": number} for number, row in enumerate(rows, 1)]
            for row in landed:  # one by one, since rows may name different columns
                connection.execute(insert(table), row)
        note_rows_of(connection, RULES["events"], file_id, owner=file_id)


def event(
    customer_id: str,
    event_type: str,
    at: str,
    item_id: str | None = None,
    quantity: float | None = None,
    unit_price: float | None = None,
) -> dict[str, Any]:
    """One event; ``at`` is ISO 8601 with an offset."""
    return {
        "event_id": f"event-{next(_numbers)}",
        "customer_id": customer_id,
        "event_type": event_type,
        "occurred_at": datetime.fromisoformat(at),
        "item_id": item_id,
        "quantity": quantity,
        "unit_price": unit_price,
    }


def customer_profiles(engine: Engine) -> dict[str, Any]:
    """customer_features by customer_id; the table must hold one business date."""
    with engine.connect() as connection:
        rows = connection.execute(select(customer_features)).all()
    assert len({row.business_date for row in rows}) <= 1
    return {row.customer_id: row for row in rows}


def item_profiles(engine: Engine) -> dict[str, Any]:
    """item_features by item_id; the table must hold one business date."""
    with engine.connect() as connection:
        rows = connection.execute(select(item_features)).all()
    assert len({row.business_date for row in rows}) <= 1
    return {row.item_id: row for row in rows}


def interaction_rows(engine: Engine) -> dict[tuple[str, str], Any]:
    """interactions by (customer_id, item_id)."""
    with engine.connect() as connection:
        rows = connection.execute(select(interactions)).all()
    return {(row.customer_id, row.item_id): row for row in rows}


def table_hashes(engine: Engine) -> dict[str, str]:
    """A hash of all rows, bit for bit, of each table that the stage writes; a lock in the reader's way is an error."""
    hashes = {}
    with engine.connect() as connection:
        connection.execute(text("set local lock_timeout = '5s'"))
        for table in (customer_features, item_features, interactions):
            query = text(
                f"select md5(string_agg(rows::text, chr(10) order by rows::text)) from {table.fullname} as rows"
            )
            hashes[table.name] = connection.execute(query).scalar_one()
    return hashes

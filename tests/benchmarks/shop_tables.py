"""A made-up shop's events in the marketing tables, by a plain COPY: what is measured comes after landing."""

from __future__ import annotations

from pathlib import Path

from psycopg2 import sql
from sqlalchemy import Connection, text

from tests.benchmarks.shop_files import ITEMS

EVENT_COLUMNS = (
    "event_id", "event_type", "customer_id", "occurred_at", "item_id", "quantity", "unit_price", "query", "order_id",
)  # fmt: skip


def fill_customers_and_items(connection: Connection, customers: int) -> None:
    """All customers in one zone, all items in a hundred categories, from file 1."""
    connection.execute(
        text(
            "insert into marketing.customers (customer_id, email, time_zone, file_id, row_number)"
            " select 'c' || n, 'c' || n || '@shop.example', 'Europe/Berlin', 1, n"
            " from generate_series(0, :customers - 1) as n"
        ),
        {"customers": customers},
    )
    connection.execute(
        text(
            "insert into marketing.items (item_id, title, category, price, file_id, row_number)"
            " select 'i' || n, 'Item ' || n, 'category ' || n % 100, 8, 1, n"
            " from generate_series(0, :items - 1) as n"
        ),
        {"items": ITEMS},
    )


def copy_events(connection: Connection, csv: Path) -> None:
    """Into the empty table, without indexes while it lasts, and with file 1 as the file of all rows."""
    indexes = connection.execute(
        text(
            "select indexname, indexdef from pg_indexes where schemaname = 'marketing' and tablename = 'events'"
            " and indexname <> 'events_pkey'"
        )
    ).all()
    quote = connection.dialect.identifier_preparer.quote
    for index in indexes:
        connection.execute(text(f"drop index marketing.{quote(index.indexname)}"))
    alter = "alter table marketing.events alter {} {}"
    for column in ("file_id", "row_number"):
        connection.execute(text(alter.format(column, "set default 1")))
    copy = sql.SQL("copy marketing.events ({}) from stdin with (format csv, header)")
    with csv.open("rb") as rows, connection.connection.cursor() as cursor:
        cursor.copy_expert(copy.format(sql.SQL(", ").join(map(sql.Identifier, EVENT_COLUMNS))), rows)
    for column in ("file_id", "row_number"):
        connection.execute(text(alter.format(column, "drop default")))
    for index in indexes:
        connection.execute(text(index.indexdef))

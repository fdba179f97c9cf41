"""A small shop's landing files, and what the gate says of them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from include.landing import load_landing_files
from include.quality import QualitySummary, check_data_quality
from include.settings import Settings

DAY = date(2017, 11, 30)  # a Thursday
CUSTOMERS = 20
EVENTS = 40

Row = dict[str, Any]


def land(
    engine: Engine, settings: Settings, table: str, rows: list[Row], day: date = DAY, name: str = "rows.jsonl"
) -> None:
    file = Path(settings.landing) / table / day.isoformat() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(map(json.dumps, rows)))
    load_landing_files(engine, settings, business_date=day)


def customers() -> list[Row]:
    return [
        {"customer_id": f"c{number}", "email": f"c{number}@shop.example", "time_zone": "America/Chicago"}
        for number in range(CUSTOMERS)
    ]


def items() -> list[Row]:
    return [
        {"item_id": f"i{number}", "title": f"Item {number}", "category": "tea", "price": 2.5} for number in range(10)
    ]


def events(day: date = DAY, count: int = EVENTS) -> list[Row]:
    return [
        {
            "event_id": f"{day}-{number}",
            "event_type": "purchase",
            "customer_id": f"c{number % CUSTOMERS}",
            "occurred_at": f"{day}T{number % 24:02}:{(30 + number // 24) % 60:02}:{number // 1440:02}-05:00",
            "item_id": f"i{number % 10}",
            "quantity": 1,
            "unit_price": 2.5,
        }
        for number in range(count)
    ]


def results(engine: Engine) -> list[tuple[Any, ...]]:
    query = "select * from marketing.quality_results order by business_date, table_name, expectation, column_name"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def failed(engine: Engine, day: date = DAY) -> dict[tuple[str, str], str]:
    """Messages of a date's failed checks by (table, column)."""
    query = (
        "select table_name, column_name, message from marketing.quality_results"
        " where not success and business_date = :day"
    )
    with engine.connect() as connection:
        return {(row.table_name, row.column_name): row.message for row in connection.execute(text(query), {"day": day})}


def check(engine: Engine, settings: Settings, day: date = DAY) -> QualitySummary:
    return check_data_quality(engine, settings, business_date=day)

"""A small shop with planted taste: customers buy from one of three shelves, and all shelves sell alike."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from sqlalchemy import Engine, text

from include.db.copy import copy_in
from include.db.tables import customers, events, items
from include.features import build_features
from include.recommender import generate_recommendations, publish_recommendations, train_recommender
from include.settings import Settings

NEW_YORK = ZoneInfo("America/New_York")
D = date(2017, 11, 30)
SHELVES = 3
ITEMS_PER_SHELF = 12
CUSTOMERS = 60
HISTORY_DAYS = 60

RECOMMENDER = {
    "models": {"als": {"factors": 8, "regularization": 1.0}},
    "ranker": {"rounds": 40, "smallest_leaf": 20},
    "learning_splits": 2,
    "bootstrap_samples": 200,
    "list_length": 10,
    "shards": 3,
}


def customer(number: int) -> str:
    return f"c{number:02}"


def item(shelf: int, number: int) -> str:
    return f"i{shelf}-{number:02}"


def shelf_of(customer_id: str) -> int:
    return int(customer_id[1:]) % SHELVES


def event(event_id: str, customer_id: str, item_id: str, day: date, event_type: str = "purchase") -> dict[str, object]:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=NEW_YORK)
    return {
        "event_id": event_id,
        "event_type": event_type,
        "customer_id": customer_id,
        "item_id": item_id,
        "occurred_at": at.isoformat(),
        "quantity": 1.0,
        "unit_price": 2.0,
        "file_id": 1,
        "row_number": 1,
    }


def purchases(until: date = D + timedelta(days=3)) -> pd.DataFrame:
    """Each customer buys two items of the own shelf about every other day, the customer's favourites more often."""
    generator = np.random.default_rng(11)
    rows = []
    for number in range(CUSTOMERS):
        taste = generator.permutation(1 / np.arange(1, ITEMS_PER_SHELF + 1))
        for day in range(HISTORY_DAYS + 4):
            if generator.random() < 0.5:
                for bought in generator.choice(ITEMS_PER_SHELF, size=2, replace=False, p=taste / taste.sum()):
                    when = D - timedelta(days=HISTORY_DAYS - 1 - day)
                    name = item(number % SHELVES, int(bought))
                    rows.append(event(f"e{len(rows)}", customer(number), name, when) | {"day": when})
    frame = pd.DataFrame(rows)
    return frame[frame["day"] <= until].drop(columns="day")


def land(engine: Engine, *frames: pd.DataFrame | list[dict[str, object]]) -> None:
    """Events, as if they had come in landing files."""
    with engine.begin() as connection:
        for frame in frames:
            copy_in(connection, events, pd.DataFrame(frame))


def open_shop(engine: Engine) -> None:
    """Customers and items, and no events yet."""
    everyone = [customer(number) for number in range(CUSTOMERS)]
    shelves = [(item(shelf, n), f"shelf {shelf}") for shelf in range(SHELVES) for n in range(ITEMS_PER_SHELF)]
    with engine.begin() as connection:
        copy_in(connection, customers, pd.DataFrame({"customer_id": everyone, "file_id": 1, "row_number": 1}))
        rows = [{"item_id": name, "title": name, "category": shelf} for name, shelf in shelves]
        copy_in(connection, items, pd.DataFrame(rows).assign(file_id=1, row_number=1))


def night(engine: Engine, settings: Settings, business_date: date = D) -> None:
    """The recommender's part of a night, after the features it reads."""
    build_features(engine, settings, business_date=business_date)
    for shard in train_recommender(engine, settings, business_date=business_date).shards:
        generate_recommendations(engine, settings, business_date=business_date, shard=shard)
    publish_recommendations(engine, settings, business_date=business_date)


def execute(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def rows(engine: Engine, query: str, **values: object) -> pd.DataFrame:
    with engine.connect() as connection:
        return pd.read_sql(text(query), connection, params=values)


def fingerprint(engine: Engine, table: str) -> str:
    """Hash of a table's rows, whatever their order on disk."""
    whole = rows(engine, f"select cast(t as text) as line from marketing.{table} as t order by 1")["line"]
    return hashlib.sha256("\n".join(whole).encode()).hexdigest()

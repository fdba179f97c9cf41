"""What the recommender reads from Postgres: customers, items and what happened between them, as a ``History``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, FromClause, column, select, table

from include.business_time import day_bounds
from include.db.tables import LONGEST_NAME
from include.db.tables import customers as customers_table
from include.recommender import reading
from include.recommender.history import UNKNOWN, Catalogue, History, Numbers
from include.settings import Settings

EPOCH = date(1970, 1, 1)
PURCHASE = "purchase"
TARGETS = (PURCHASE, "rating", "click", "add_to_cart", "view")
"""Event types that may be what is foretold, the most telling first."""


SHARD_CUSTOMERS = table("shard_customers", column("customer_id"))
"""Temporary, of ``create_shard_customers``."""


@dataclass(frozen=True)
class Items:
    """Items by number, in the order of their ids.

    allowed: (items,), whether each may be recommended: it is in ``items``, else it has no title, and not out of stock.
    categories: (items,), their names, "" for none. margin: (items,), of the price, NaN where not known.
    """

    ids: pd.Index
    catalogue: Catalogue
    categories: NDArray[np.object_]
    allowed: NDArray[np.bool_]
    titled: NDArray[np.bool_]
    margin: NDArray[np.float64]


@dataclass(frozen=True)
class Shop:
    """customers: ids in the order of the history's numbers. target: the event type that counts as bought.

    segments: names in the order of the history's segment numbers.
    """

    customers: pd.Index
    segments: list[str]
    items: Items
    target: str
    history: History


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def date_of(number: int) -> date:
    """The date of a day's number.

    >>> date_of(day_number(date(2017, 11, 30)))
    datetime.date(2017, 11, 30)
    """
    return EPOCH + timedelta(days=int(number))


def read_shop(connection: Connection, settings: Settings, business_date: date) -> Shop:
    """Everyone and everything up to the end of ``business_date``."""
    activity = reading.read(connection, "select_activity", _bounds(settings, business_date))
    target = target_of(activity["event_type"].cat.categories.tolist(), settings.recommender.target_event)
    items = read_items(connection, activity["item_id"].cat.categories.tolist())
    customers = reading.sorted_ids(activity["customer_id"])
    of_customers = read_segments(connection, settings, customers_table)
    segments = sorted(set(of_customers.values()))
    segment = segment_numbers(of_customers, customers, segments)
    history = history_of(activity, customers, items, target, settings, business_date)
    return Shop(customers, segments, items, target, replace(history, segment=segment))


def read_segments(connection: Connection, settings: Settings, among: FromClause) -> dict[str, str]:
    """By customer: what the customers' column of ``recommender.segment_by`` says, where it says anything.

    among: a table with their customer_id.
    """
    column = customers_table.c[settings.recommender.segment_by]
    query = (
        select(customers_table.c.customer_id, column)
        .where(customers_table.c.customer_id.in_(select(among.c.customer_id)))
        .where(column.is_not(None), column != "")
    )
    return dict(connection.execute(query).tuples().all())


def segment_numbers(of_customers: Mapping[str, str], customers: pd.Index, segments: Sequence[str]) -> Numbers:
    """(customers,): the place of each one's segment in ``segments``, UNKNOWN where it is not among them."""
    place = {name: number for number, name in enumerate(segments)}
    return np.array([place.get(of_customers.get(customer, ""), UNKNOWN) for customer in customers], np.int64)


def read_histories(
    connection: Connection,
    settings: Settings,
    business_date: date,
    customers: pd.Index,
    items: Items,
    target: str,
    segments: Sequence[str],
) -> History:
    """Of the customers in the temporary table shard_customers, numbered as ``customers`` are.

    What they did with an item that ``items`` does not have is left out.
    """
    activity = reading.read(connection, "select_shard_activity", _bounds(settings, business_date))
    of_customers = read_segments(connection, settings, SHARD_CUSTOMERS)
    history = history_of(activity, customers, items, target, settings, business_date)
    return replace(history, segment=segment_numbers(of_customers, customers, segments))


def read_items(connection: Connection, others: Sequence[str] = ()) -> Items:
    """The catalogue, and items that only events name (``others``), of which nothing is known."""
    frame = _read_catalogue(connection)
    ids = pd.Index(sorted({*others, *frame["item_id"].cat.categories.tolist()}), dtype=object)
    at = reading.positions(frame["item_id"], ids)
    catalogue = Catalogue(
        _codes(frame["category"], at, len(ids)),
        _codes(frame["brand"], at, len(ids)),
        _placed(frame["price"], at, len(ids)),
    )
    return _items(frame, ids, catalogue)


def model_items(connection: Connection, ids: pd.Index, catalogue: Catalogue) -> Items:
    """The items that a model knows, as the catalogue has them today; of what they are, what the model learned from."""
    return _items(_read_catalogue(connection), ids, catalogue)


def _read_catalogue(connection: Connection) -> pd.DataFrame:
    texts = {"category": "str", "brand": "str"}
    return reading.read(connection, "select_catalogue", {"longest_name": LONGEST_NAME}, texts)


def _items(frame: pd.DataFrame, ids: pd.Index, catalogue: Catalogue) -> Items:
    at = reading.positions(frame["item_id"], ids)
    in_stock, titled = _placed(frame["in_stock"], at, len(ids)) > 0, np.zeros(len(ids), bool)
    titled[at[at >= 0]] = True
    categories = np.full(len(ids), "", object)
    categories[at[at >= 0]] = frame["category"].fillna("").to_numpy(object)[at >= 0]
    return Items(ids, catalogue, categories, in_stock, titled, _placed(frame["margin_rate"], at, len(ids)))


def _placed(values: pd.Series, at: Numbers, items: int) -> NDArray[np.float64]:
    """(items,): NaN where no row says."""
    placed = np.full(items, np.nan)
    placed[at[at >= 0]] = values.to_numpy(np.float64)[at >= 0]
    return placed


def _codes(names: pd.Series, at: Numbers, items: int) -> Numbers:
    codes = np.full(items, UNKNOWN, np.int64)
    codes[at] = pd.factorize(names, sort=True, use_na_sentinel=True)[0]
    return codes


def target_of(event_types: Sequence[str], wanted: str | None) -> str:
    """What is foretold: the setting's event type, or the first of TARGETS that ever happened.

    >>> target_of(["view", "click"], None)
    'click'
    """
    return wanted or next((name for name in TARGETS if name in event_types), TARGETS[0])


def history_of(
    activity: pd.DataFrame, customers: pd.Index, items: Items, target: str, settings: Settings, business_date: date
) -> History:
    """From rows of customer_id, item_id, event_type, business_day (days since 1970-01-01).

    An event type counts once per customer, item and day, with its weight of ``features.event_weights``; the target
    counts 1 where that says 0, for what is to be foretold must be told. A purchase counts as bought whatever is
    foretold, so that discovery never lists it.
    """
    weights = settings.features.event_weights
    types = activity["event_type"].cat.categories.tolist()
    of_type = np.array([weights.get(name, 0.0) or float(name == target) for name in types] or [0.0])
    customer, item = (
        reading.positions(activity["customer_id"], customers),
        reading.positions(activity["item_id"], items.ids),
    )
    event_type = activity["event_type"].cat.codes.to_numpy(np.int64)
    once = pd.DataFrame({"c": customer, "i": item, "t": event_type, "d": activity["business_day"].to_numpy(np.int64)})
    once = once[(customer >= 0) & (item >= 0)].drop_duplicates()
    # A day's event types add up in one order, however rows lie on disk: the last bits of a sum hang on it.
    once = once.iloc[np.argsort(once["t"].to_numpy(np.int8), kind="stable")]
    is_bought = np.array([name in (target, PURCHASE) for name in types] or [False])
    weight = of_type[once["t"]] if len(once) else np.zeros(0)
    bought = is_bought[once["t"]] if len(once) else np.zeros(0, bool)
    told = (weight != 0) | bought
    return History.of(
        len(customers),
        items.catalogue,
        day_number(business_date),
        once["c"].to_numpy()[told],
        once["i"].to_numpy()[told],
        once["d"].to_numpy()[told],
        weight[told],
        bought[told],
    )


def _bounds(settings: Settings, business_date: date) -> dict[str, object]:
    zone = settings.business_time_zone
    return {"business_time_zone": zone, "end_of_day": day_bounds(business_date, zone)[1].isoformat()}

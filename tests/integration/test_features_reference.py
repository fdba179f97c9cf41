"""A random world, computed a second time in pandas straight from the definitions."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from features_world import customer_profiles, interaction_rows, item_profiles
from pandas.core.groupby import DataFrameGroupBy
from sqlalchemy import Engine

from include.db.copy import copy_in
from include.db.tables import EVENT_TYPES, customers, events, items
from include.features import build, build_features
from include.settings import LifecycleSettings, Settings

D = date(2017, 11, 30)
BUSINESS_ZONE = "America/New_York"
HALF_LIFE = 23.0
WINDOW = 200
WEIGHTS = {"view": 0.1, "click": 0.2, "add_to_cart": 0.5, "purchase": 1.0, "return": -1.0, "rating": 0.05}
KNOWN_ZONES = ["America/New_York", "Asia/Kolkata", "Europe/London", "Pacific/Auckland"]
ZONES = [*KNOWN_ZONES, None, "Not/AZone"]
LIFECYCLE = LifecycleSettings()


@pytest.fixture(scope="module")
def world() -> dict[str, pd.DataFrame]:
    """13,000 events of 60 customers (40 of them with a row of their own) on 120 items over 320 days and two more."""
    random = np.random.default_rng(20171130)
    n = 10_000
    start = pd.Timestamp("2017-01-15", tz="UTC").value
    end = pd.Timestamp("2017-12-03", tz="UTC").value
    kinds = random.choice([*EVENT_TYPES], n, p=[0.2, 0.05, 0.1, 0.1, 0.45, 0.05, 0.05])
    item_numbers = np.minimum(random.geometric(0.03, n), 120)
    frame = pd.DataFrame(
        {
            "event_id": [f"e{number}" for number in range(n)],
            "event_type": kinds,
            "customer_id": [f"c{number}" for number in np.minimum(random.geometric(0.06, n), 60)],
            "occurred_at": pd.to_datetime(random.integers(start, end, n) // 1000 * 1000, utc=True),
            "item_id": [f"i{number}" for number in item_numbers],
            "quantity": random.choice([1.0, 2.0, 0.5, 3.0, np.nan], n),
            "unit_price": np.round(random.uniform(0.5, 2.0, n) * (1 + item_numbers % 7), 2),
            "file_id": 1,
            "row_number": range(n),
        }
    )
    frame.loc[random.random(n) < 0.02, "unit_price"] = np.nan
    frame.loc[(frame.event_type == "search") | (random.random(n) < 0.01), "item_id"] = None
    # Whole baskets: the same customer at the same instant.
    basket = frame.sample(3000, random_state=1).assign(event_id=lambda rows: "again-" + rows.event_id)
    frame = pd.concat([frame, basket], ignore_index=True)
    owners = pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(1, 41)] + ["silent"],
            "time_zone": [ZONES[number % len(ZONES)] for number in range(41)],
            "file_id": 1,
            "row_number": range(41),
        }
    )
    catalogue = pd.DataFrame(
        {
            "item_id": [f"i{number}" for number in range(1, 101)],
            "category": [None if number % 11 == 0 else f"category {number % 8}" for number in range(1, 101)],
            "file_id": 1,
            "row_number": range(100),
        }
    )
    return {"events": frame, "customers": owners, "items": catalogue}


@pytest.fixture
def built(engine: Engine, make_settings: Callable[..., Settings], world: dict[str, pd.DataFrame]) -> Engine:
    with engine.begin() as connection:
        for table in (customers, items, events):
            copy_in(connection, table, world[table.name])
    settings = make_settings(
        business_time_zone=BUSINESS_ZONE,
        default_customer_time_zone="America/Denver",
        features={"half_life_days": HALF_LIFE, "event_weights": WEIGHTS, "profile_days": WINDOW},
    )
    build_features(engine, settings, business_date=D)
    return engine


@pytest.fixture(scope="module")
def history(world: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Events before the end of D with day, age, decay, category and the customer's hour."""
    frame = world["events"]
    frame = frame[frame.occurred_at < pd.Timestamp("2017-12-01", tz=BUSINESS_ZONE)].copy()
    frame["day"] = frame.occurred_at.dt.tz_convert(BUSINESS_ZONE).dt.date
    frame["age"] = [(D - day).days for day in frame.day]
    frame["decay"] = 2.0 ** (-frame.age / HALF_LIFE)
    frame["category"] = frame.item_id.map(world["items"].set_index("item_id").category)
    zones = frame.customer_id.map(world["customers"].set_index("customer_id").time_zone)
    for zone in {*KNOWN_ZONES, "America/Denver"}:
        rows = zones == zone if zone in KNOWN_ZONES else ~zones.isin(KNOWN_ZONES)
        frame.loc[rows, "hour"] = frame.loc[rows, "occurred_at"].dt.tz_convert(zone).dt.hour
    return frame


def test_interactions_equal_pandas(built: Engine, history: pd.DataFrame) -> None:
    named = history.dropna(subset=["item_id"])
    daily = named.drop_duplicates(["customer_id", "item_id", "event_type", "day"]).copy()
    daily["weight"] = daily.event_type.map(WEIGHTS).fillna(0.0) * daily.decay
    pairs = ["customer_id", "item_id"]
    expected = pd.DataFrame(
        {
            "weight": daily.groupby(pairs).weight.sum(),
            "purchase_days": daily[daily.event_type == "purchase"].groupby(pairs).size(),
            "last_occurred_at": named.groupby(pairs).occurred_at.max(),
        }
    )
    expected = expected[expected.weight > 1e-11]
    assert len(expected) > 2000
    rows = interaction_rows(built)
    assert rows.keys() == set(expected.index)
    for pair, want in expected.iterrows():
        got = rows[pair]
        assert got.weight == pytest.approx(want.weight, abs=1e-9)
        assert got.purchase_days == (0 if np.isnan(want.purchase_days) else want.purchase_days)
        assert got.last_occurred_at == want.last_occurred_at


def test_item_features_equal_pandas(built: Engine, history: pd.DataFrame) -> None:
    profiles = item_profiles(built)
    named = history.dropna(subset=["item_id"])
    assert profiles.keys() == set(named.item_id)
    for item_id, lines in named.groupby("item_id"):
        got = profiles[item_id]
        bought = lines[lines.event_type == "purchase"]
        days = bought.drop_duplicates(["customer_id", "day"])
        assert got.category == (None if pd.isna(lines.category.iloc[0]) else lines.category.iloc[0])
        assert (got.buyers, got.purchase_days) == (bought.customer_id.nunique(), len(days))
        assert got.popularity == pytest.approx(days.decay.sum(), abs=1e-9)
        price = bought.unit_price.median()
        assert (
            got.median_price is None if np.isnan(price) else float(got.median_price) == pytest.approx(price, abs=6e-5)
        )
        assert got.last_purchase_at == (None if bought.empty else bought.occurred_at.max())


def test_customer_features_equal_pandas(built: Engine, history: pd.DataFrame) -> None:
    profiles = customer_profiles(built)
    assert profiles.keys() == set(history.customer_id) | {f"c{number}" for number in range(1, 41)} | {"silent"}
    window = history[history.age < WINDOW]
    permille = _price_permille(history)
    bargains = _bargains(history)
    assert 0 < bargains.sum().days.sum() < bargains.size().sum()
    for customer_id, all_lines in history.groupby("customer_id"):
        got, lines = profiles[customer_id], window[window.customer_id == customer_id]
        bought_ever = all_lines[all_lines.event_type == "purchase"]
        bought = lines[lines.event_type == "purchase"]
        ages = sorted(set(bought.age))
        assert got.recency == (None if bought_ever.empty else bought_ever.age.min())
        assert got.frequency == len(ages)
        assert got.monetary_value == _spent(lines)
        assert got.first_purchase_at == (None if bought_ever.empty else bought_ever.occurred_at.min())
        assert got.last_purchase_at == (None if bought_ever.empty else bought_ever.occurred_at.max())
        assert got.preferred_categories == _favourites(bought)
        assert got.price_band == _band(bought, permille)
        assert got.segment == _segment(bought_ever, ages)
        sensitivity = _sensitivity(bargains, str(customer_id))
        assert got.discount_sensitivity == (sensitivity and pytest.approx(sensitivity, rel=1e-12))
        visits = lines.drop_duplicates(["day", "hour"])
        shares = visits.groupby("hour").decay.sum().reindex(range(24), fill_value=0.0) / visits.decay.sum()
        assert got.active_hours == pytest.approx(list(shares) if len(visits) else [], abs=1e-9)


def _spent(lines: pd.DataFrame) -> Decimal:
    total = Decimal(0)
    for line in lines[lines.unit_price.notna()].itertuples():
        amount = Decimal(str(1.0 if np.isnan(line.quantity) else line.quantity)) * Decimal(str(line.unit_price))
        total += {"purchase": amount, "return": -amount}.get(line.event_type, Decimal(0))
    return total


def _favourites(bought: pd.DataFrame) -> list[str]:
    days = bought.dropna(subset=["category"]).drop_duplicates(["item_id", "day"])
    weights = days.groupby("category").decay.sum().round(9)
    return [name for _, name in sorted((-weight, str(name)) for name, weight in weights.items())][:5]


def _price_permille(history: pd.DataFrame) -> dict[str, int]:
    """Place of an item's median price among its category's purchase days, in thousandths."""
    bought = history[(history.event_type == "purchase") & history.item_id.notna()]
    days = bought.drop_duplicates(["customer_id", "item_id", "day"]).groupby("item_id").size()
    prices = bought.groupby("item_id").unit_price.median().dropna().map(lambda price: _round(Decimal(str(price)), 4))
    categories = bought.drop_duplicates("item_id").set_index("item_id").category.fillna("none")
    places = {}
    for item_id, price in prices.items():
        peers = [other for other in prices.index if categories[other] == categories[item_id]]
        below = sum(int(days[other]) for other in peers if prices[other] < price)
        equal = sum(int(days[other]) for other in peers if prices[other] == price)
        total = sum(int(days[other]) for other in peers)
        places[str(item_id)] = int(_round(Decimal(1000) * (Decimal(below) + Decimal(equal) / 2) / total, 0))
    return places


def _band(bought: pd.DataFrame, permille: dict[str, int]) -> str | None:
    days = bought.dropna(subset=["item_id"]).drop_duplicates(["item_id", "day"])
    levels = [permille[item_id] for item_id in days.item_id if item_id in permille]
    if not levels:
        return None
    level = sum(levels) / len(levels) / 1000
    return "low" if level < build.LOW_PRICE_BELOW else "high" if level > build.HIGH_PRICE_ABOVE else "middle"


def _bargains(history: pd.DataFrame) -> DataFrameGroupBy:
    """By customer: was a purchase day, of an item ever sold 10% below its median price, one of these bargains?"""
    bought = history[(history.event_type == "purchase") & history.item_id.notna() & history.unit_price.notna()]
    prices = bought.groupby("item_id").unit_price.median().map(lambda price: _round(Decimal(str(price)), 4))
    level = prices * Decimal("0.9")
    lowest = bought.groupby("item_id").unit_price.min().map(lambda price: Decimal(str(price)))
    level = level[lowest[level.index] <= level]
    days = bought[bought.age < WINDOW].groupby(["customer_id", "item_id", "day"], as_index=False).unit_price.min()
    days = days[days.item_id.isin(level.index)]
    paid = days.unit_price.map(lambda price: Decimal(str(price)))
    return days.assign(days=(paid <= days.item_id.map(level)).astype(int)).groupby("customer_id")[["days"]]


def _sensitivity(bargains: DataFrameGroupBy, customer_id: str) -> float | None:
    days, comparable = bargains.sum().days, bargains.size()
    if customer_id not in days.index:
        return None
    share = days.sum() / comparable.sum()
    return (days[customer_id] + 50 * share) / (comparable[customer_id] + 50)


def _segment(bought_ever: pd.DataFrame, ages: list[int]) -> str:
    if bought_ever.empty:
        return "no_purchase"
    recency = bought_ever.age.min()
    interval = (ages[-1] - ages[0]) / (len(ages) - 1) if len(ages) > 1 else LIFECYCLE.usual_interval_days
    if bought_ever.age.max() < LIFECYCLE.new_days:
        return "new"
    if not ages or (recency > LIFECYCLE.lapsed_days and recency > LIFECYCLE.lapsed_intervals * interval):
        return "lapsed"
    if recency > LIFECYCLE.at_risk_days and recency > LIFECYCLE.at_risk_intervals * interval:
        return "at_risk"
    return "loyal" if len(ages) >= build.LOYAL_PURCHASE_DAYS and interval <= build.LOYAL_INTERVAL_DAYS else "regular"


def _round(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def test_the_world_holds_what_it_is_meant_to_try(history: pd.DataFrame) -> None:
    """Both clock changes, events outside the window, lines of one basket, and ages from 0 on."""
    days = set(history.day)
    assert {date(2017, 3, 12), date(2017, 11, 5), D} <= days
    assert D + timedelta(days=1) not in days
    assert (history.age >= WINDOW).any()
    assert history.duplicated(["customer_id", "item_id", "event_type", "day"]).any()

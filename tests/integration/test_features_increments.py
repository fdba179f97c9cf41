"""Sixty days that land shuffled, late, twice and corrected, night by night, equal one computation of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, event, text

from include.db.copy import copy_in
from include.db.sql import source
from include.db.tables import EVENT_TYPES, customers, events, items
from include.features import build_features, forecast, rebuild_features
from include.settings import Settings

FIRST = date(2017, 2, 1)  # New York's clock skips an hour on 12 March
DAYS = 60
LAST = FIRST + timedelta(days=DAYS - 1)
ZONES = ["America/New_York", "Asia/Kolkata", "Pacific/Auckland", None]
MakeSettings = Callable[..., Settings]
FEATURES = {"half_life_days": 9.0, "profile_days": 20, "favourite_categories": 3, "forecast_days": 30}


def history(random: np.random.Generator) -> pd.DataFrame:
    """About 40 events a day of 25 customers on 30 items, over sixty days and five before; returns included."""
    n = 2600
    start = pd.Timestamp(FIRST - timedelta(days=5), tz="America/New_York").value
    end = pd.Timestamp(LAST + timedelta(days=1), tz="America/New_York").value
    frame = pd.DataFrame(
        {
            "event_id": [f"e{number}" for number in range(n)],
            "event_type": random.choice([*EVENT_TYPES], n, p=[0.2, 0.1, 0.1, 0.1, 0.3, 0.15, 0.05]),
            "customer_id": [f"c{number}" for number in random.integers(0, 25, n)],
            "occurred_at": pd.to_datetime(random.integers(start, end, n) // 1000 * 1000, utc=True),
            "item_id": [f"i{number}" for number in random.integers(0, 30, n)],
            "quantity": random.choice([1.0, 2.0, np.nan], n),
            "unit_price": np.round(random.uniform(0.5, 9.0, n), 1),
            "query": random.choice(["oat milk", "bread", "tea"], n),
            "properties": random.choice(['{"device": "phone"}', '{"device": "desk", "channel": "shop"}', "{}"], n),
            "row_number": range(n),
        }
    )
    frame.loc[frame.event_type == "search", "item_id"] = None
    frame.loc[frame.event_type != "search", "query"] = None
    frame["day"] = frame.occurred_at.dt.tz_convert("America/New_York").dt.date
    return frame


@pytest.fixture(autouse=True)
def _few_customers_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or there would be no forecasts to compare."""
    monkeypatch.setattr(forecast, "MINIMUM_BUYERS", 10)
    monkeypatch.setattr(forecast, "MINIMUM_RETURNED", 10)


class Shop:
    """Landed events; each load has a newer file, and notes the UTC days it touches, as landing does."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.file_id = 0

    def open(self) -> None:
        owners = [{"customer_id": f"c{n}", "time_zone": ZONES[n % len(ZONES)]} for n in range(20)]
        shelves = [{"item_id": f"i{n}", "category": f"k{n % 4}", "brand": f"b{n % 6}"} for n in range(27)]
        with self.engine.begin() as connection:
            copy_in(connection, customers, pd.DataFrame(owners).assign(file_id=1, row_number=1))
            copy_in(connection, items, pd.DataFrame(shelves).assign(file_id=1, row_number=1))

    def load(self, rows: pd.DataFrame, gone: list[str] | None = None) -> None:
        """Rows come, replacing those of the same id; ``gone`` are taken away."""
        self.file_id += 1
        ids = [*rows["event_id"], *(gone or [])]
        with self.engine.begin() as connection:
            former = connection.execute(
                text("delete from marketing.events where event_id = any(:ids) returning occurred_at"), {"ids": ids}
            ).scalars()
            days = {instant.date() for instant in former} | {instant.date() for instant in rows["occurred_at"]}
            copy_in(connection, events, rows.drop(columns="day").assign(file_id=self.file_id))
            for day in days:
                connection.execute(
                    text(
                        "insert into marketing.changed_event_days values (:day, :file_id)"
                        " on conflict (utc_day) do update set file_id = excluded.file_id"
                    ),
                    {"day": day, "file_id": self.file_id},
                )

    def set_aside(self, ids: list[str]) -> None:
        """As the quality gate would; a former judgement of other events ends."""
        with self.engine.begin() as connection:
            connection.execute(text("delete from marketing.quality_failures"))
            connection.execute(
                text(
                    "insert into marketing.quality_failures (business_date, table_name, rule, column_name, row_key,"
                    " file_id, row_number, reason, is_set_aside)"
                    " select :day, 'events', 'duplicate', 'event_id', event_id, file_id, row_number, 'is told twice',"
                    " true from marketing.events where event_id = any(:ids)"
                ),
                {"day": LAST, "ids": ids},
            )

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))


def contents(engine: Engine, business_date: date) -> dict[str, dict[Any, dict[str, Any]]]:
    """Rows of the three tables by their keys."""
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    with engine.connect() as connection:
        for table, keys in (("customer_features", 1), ("item_features", 1), ("interactions", 2)):
            rows = connection.execute(
                text(f"select * from marketing.{table} where business_date = :day"), {"day": business_date}
            ).mappings()
            names = ["customer_id", "item_id"] if keys == 2 else [f"{table.split('_')[0]}_id"]
            found[table] = {tuple(row[name] for name in names): dict(row) for row in rows}
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Counts, amounts, instants and names alike; floats to 1e-9 of their size."""
    for table, rows in expected.items():
        assert found[table].keys() == rows.keys(), table
        for key, row in rows.items():
            for column, value in row.items():
                got = found[table][key][column]
                if isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
                    value = pytest.approx(value, rel=1e-9, abs=0)
                assert got == value, (table, key, column)


def a_history_of_nights(shop: Shop, settings: Settings, random: np.random.Generator) -> None:
    """Each night: most of the day's events, some of earlier days, some again, some corrected, some taken away."""
    frame = history(random)
    waiting = frame.sample(frac=1.0, random_state=int(random.integers(1 << 30)))
    shop.open()
    shop.load(waiting[waiting.day < FIRST])
    landed, waiting = waiting[waiting.day < FIRST], waiting[waiting.day >= FIRST]
    for night in range(DAYS):
        today = FIRST + timedelta(days=night)
        # Some of today is late, and some of tomorrow is early.
        chances = np.where(waiting.day == today, 0.8, np.where(waiting.day < today, 0.3, 0.0))
        chances = np.where(waiting.day == today + timedelta(days=1), 0.05, chances)
        arriving = waiting[(random.random(len(waiting)) < chances) | (today == LAST)]
        waiting = waiting.drop(arriving.index)
        again = landed.sample(min(len(landed), 3), random_state=night)
        corrected = landed.drop(again.index).sample(min(len(landed) // 2, 2), random_state=night)
        corrected = corrected.assign(unit_price=corrected.unit_price + 1, item_id="i3")
        gone = landed.drop([*again.index, *corrected.index]).sample(min(len(landed) // 3, 2), random_state=night)
        shop.load(pd.concat([arriving, again, corrected]), list(gone.event_id))
        landed = pd.concat([landed.drop([*gone.index, *corrected.index]), arriving, corrected])
        if night % 4 == 2:
            shop.set_aside(list(landed.sample(len(landed) // 30, random_state=night).event_id))
        if night == 20:
            shop.run("update marketing.items set category = 'k9', brand = null where item_id in ('i1', 'i29')")
        if night == 30:
            shop.run("update marketing.customers set time_zone = 'Asia/Tokyo' where customer_id in ('c1', 'c3')")
        if night % 7 != 5:  # some nights are missed
            build_features(shop.engine, settings, business_date=today)
        if night == 40:
            build_features(shop.engine, settings, business_date=today - timedelta(days=9))  # and one is done again


@pytest.mark.parametrize("seed", range(4))
def test_sixty_nights_equal_one_computation(engine: Engine, make_settings: MakeSettings, seed: int) -> None:
    settings = make_settings(features=FEATURES)
    a_history_of_nights(Shop(engine), settings, np.random.default_rng(seed))
    build_features(engine, settings, business_date=LAST)
    found = contents(engine, LAST)
    with engine.connect() as connection:
        landmark = connection.execute(text("select landmark from marketing.feature_state")).scalar_one()
    assert landmark < LAST, "the last nights went on from totals"
    rebuild_features(engine, settings)
    expected = contents(engine, LAST)
    assert len(expected["customer_features"]) == 25
    assert len(expected["interactions"]) > 300
    outlooks = list(expected["customer_features"].values())
    assert all(row["expected_value"] > 0 for row in outlooks)
    assert len({row["discount_sensitivity"] for row in outlooks}) > 10
    assert_same(found, expected)


def test_an_event_counts_unless_it_is_set_aside(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features=FEATURES)
    shop, frame = Shop(engine), history(np.random.default_rng(5))
    shop.open()
    shop.load(frame)
    build_features(engine, settings, business_date=LAST)
    whole = contents(engine, LAST)
    latest = frame[(frame.event_type == "purchase") & (frame.customer_id == "c2")].nlargest(3, "occurred_at")
    shop.set_aside(list(latest.event_id))
    build_features(engine, settings, business_date=LAST)
    without = contents(engine, LAST)
    shop.set_aside([])
    build_features(engine, settings, business_date=LAST)
    assert_same(contents(engine, LAST), whole)
    shop.load(frame.iloc[:0], list(latest.event_id))
    build_features(engine, settings, business_date=LAST)
    assert_same(contents(engine, LAST), without)
    assert without["customer_features"]["c2",]["last_purchase_at"] < latest.occurred_at.min()


def test_an_event_that_was_taken_away_leaves_nothing(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features=FEATURES)
    shop, frame = Shop(engine), history(np.random.default_rng(9))
    shop.open()
    shop.load(frame)
    build_features(engine, settings, business_date=LAST)
    shop.load(frame.iloc[:0], list(frame.event_id))
    summary = build_features(engine, settings, business_date=LAST)
    assert (summary.interactions, summary.items, summary.customers) == (0, 0, 20)
    with engine.connect() as connection:
        for table in ("interaction_totals", "item_totals", "item_prices", "customer_totals", "customer_tastes"):
            assert connection.execute(text(f"select count(*) from marketing.{table}")).scalar_one() == 0, table


def test_other_settings_begin_the_totals_anew(engine: Engine, make_settings: MakeSettings) -> None:
    shop, frame = Shop(engine), history(np.random.default_rng(3))
    shop.open()
    shop.load(frame)
    for fields in (
        {"features": FEATURES},
        {"features": FEATURES | {"half_life_days": 3.0}},
        {"features": FEATURES | {"event_weights": {"purchase": 2.0, "view": 0.5}}},
        {"features": FEATURES | {"event_half_life_days": {"view": 2.0}}},
        {"features": FEATURES, "business_time_zone": "Asia/Tokyo"},
        {"features": FEATURES, "default_customer_time_zone": "Asia/Tokyo"},
    ):
        settings = make_settings(**fields)
        build_features(engine, settings, business_date=LAST)
        found = contents(engine, LAST)
        rebuild_features(engine, settings)
        assert_same(found, contents(engine, LAST))


def test_each_type_may_have_a_half_life_of_its_own(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features={"half_life_days": 10.0, "event_half_life_days": {"view": 1.0}})
    shop, frame = Shop(engine), history(np.random.default_rng(3)).iloc[:2]
    at = pd.Timestamp(LAST - timedelta(days=10), tz="America/New_York") + pd.Timedelta(hours=12)
    shop.load(frame.assign(event_type=["view", "purchase"], customer_id="c1", item_id="i1", occurred_at=at))
    for later in (0, 5):
        build_features(engine, settings, business_date=LAST + timedelta(days=later))
        (row,) = contents(engine, LAST + timedelta(days=later))["interactions"].values()
        age = 10 + later
        assert row["weight"] == pytest.approx(2 ** (-age / 10) + 0.1 * 2**-age, rel=1e-9)


def test_profiles_name_brands_devices_searches_and_days(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features={"half_life_days": 1.0})
    shop, frame = Shop(engine), history(np.random.default_rng(3)).iloc[:4]
    shop.open()
    noon = pd.Timestamp(LAST, tz="America/New_York") + pd.Timedelta(hours=12)  # a Saturday evening in Kolkata
    shop.load(
        frame.assign(
            event_type=["purchase", "purchase", "purchase", "search"],
            customer_id="c1",
            item_id=["i1", "i1", "i2", None],
            query=[None, None, None, " Oat Milk "],
            properties=['{"device": "phone"}', '{"device": "desk"}', "{}", '{"device": "phone", "channel": "app"}'],
            occurred_at=[noon - pd.Timedelta(days=days) for days in (4, 1, 0, 0)],
        )
    )
    build_features(engine, settings, business_date=LAST)
    row = contents(engine, LAST)["customer_features"]["c1",]
    assert (row["preferred_categories"], row["favourite_brands"]) == (["k2", "k1"], ["b2", "b1"])
    shares = [1 / (1 + 9 / 16), (9 / 16) / (1 + 9 / 16)]
    assert row["category_shares"] == pytest.approx(shares)
    assert row["brand_shares"] == pytest.approx(shares)
    assert (row["devices"], row["channels"], row["search_terms"]) == (["phone", "desk"], ["app"], ["oat milk"])
    assert row["device_shares"] == pytest.approx([(1 + 1 / 16) / (1 + 9 / 16), (1 / 2) / (1 + 9 / 16)])
    assert (row["mean_interval_days"], row["median_interval_days"]) == (2.0, 2.0)
    assert (row["weekday_hours"][21], row["weekend_hours"][21]) == (1.0, 1.0)
    assert row["monetary_value"] == sum(
        Decimal(str(line.unit_price)) * Decimal(1 if np.isnan(line.quantity) else int(line.quantity))
        for line in frame.iloc[:3].itertuples()
    )


@pytest.mark.parametrize(
    ("told", "column"),
    [
        ("update marketing.items set category = :long", "preferred_categories"),
        ("update marketing.items set brand = :long", "favourite_brands"),
        ("update marketing.events set properties = jsonb_build_object('device', cast(:long as text))", "devices"),
        ("update marketing.events set properties = jsonb_build_object('channel', cast(:long as text))", "channels"),
        ("update marketing.events set event_type = 'search', query = :long", "search_terms"),
    ],
    ids=["category", "brand", "device", "channel", "query"],
)
def test_the_first_200_characters_of_a_long_name_count(
    engine: Engine, make_settings: MakeSettings, told: str, column: str
) -> None:
    settings = make_settings(features=FEATURES)
    random = np.random.default_rng(11)
    long = "".join(chr(number) for number in random.integers(0x4E00, 0x9FFF, 4000))  # too much for an index's row
    shop, frame = Shop(engine), history(random).query("customer_id == 'c1'")
    shop.open()
    shop.load(frame.iloc[:40])
    build_features(engine, settings, business_date=LAST)
    shop.load(frame.iloc[40:].assign(event_type="purchase", item_id="i1"))
    with engine.begin() as connection:
        where = " where event_id = any(:ids)" if "events" in told else " where item_id in ('i1', 'i2')"
        connection.execute(text(told + where), {"long": long, "ids": list(frame.event_id[40:])})
    build_features(engine, settings, business_date=LAST)
    night = contents(engine, LAST)
    assert long[:200] in night["customer_features"]["c1",][column]
    rebuild_features(engine, settings)
    assert_same(contents(engine, LAST), night)
    build_features(engine, settings, business_date=LAST)
    assert_same(contents(engine, LAST), night)


@contextmanager
def just_before(engine: Engine, name: str, act: Callable[[], None]) -> Iterator[None]:
    """In the block ``act`` is called once, when a build is about to run its statement ``name``."""
    head = source(forecast.__file__, name)[:60]
    calls = 0

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal calls
        if statement.startswith(head):
            calls += 1
            if calls == 1:
                act()

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    assert calls


@pytest.mark.parametrize("name", ["find_days", "number_customers", "correct_latest_events", "correct_purchase_bounds"])
def test_a_load_that_commits_during_a_build_counts_in_the_next(
    engine: Engine, make_settings: MakeSettings, name: str
) -> None:
    settings = make_settings(features=FEATURES)
    shop, frame = Shop(engine), history(np.random.default_rng(7)).query("customer_id < 'c15'")
    frame.loc[frame.customer_id == "c1", ["event_type", "item_id"]] = ["purchase", "i1"]
    own = frame[frame.customer_id == "c1"].sort_values("occurred_at")
    ends = [own.event_id.iloc[0], own.event_id.iloc[-1]]
    shop.open()
    shop.load(frame)
    build_features(engine, settings, business_date=LAST)
    shop.load(frame.iloc[:0], ends)
    build_features(engine, settings, business_date=LAST)
    expected = contents(engine, LAST)
    shop.load(own[own.event_id.isin(ends)])
    build_features(engine, settings, business_date=LAST)
    shop.load(frame.iloc[:0], ends)
    with just_before(engine, name, lambda: shop.load(frame.iloc[:0], list(own.event_id))):
        build_features(engine, settings, business_date=LAST)
    assert_same(contents(engine, LAST), expected)
    build_features(engine, settings, business_date=LAST)
    found = contents(engine, LAST)
    assert ("c1", "i1") not in found["interactions"]
    rebuild_features(engine, settings)
    assert_same(found, contents(engine, LAST))

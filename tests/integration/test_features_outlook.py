"""Where customers stand and what they will do: stages at their thresholds, forecasts as the models give them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from features_world import customer_profiles, event, land
from sqlalchemy import Engine, text

from include.db.copy import copy_in
from include.db.tables import LIFECYCLE_STAGES, SEGMENTS, events
from include.features import build_features, forecast, lifetime
from include.settings import LifecycleSettings, Settings

D = date(2017, 11, 30)
MakeSettings = Callable[..., Settings]


def bought(customer_id: str, *days_ago: int, price: float = 1.0) -> list[dict[str, Any]]:
    """A purchase at 23:30 in New York, the next day in UTC, on each of these days before D."""
    instants = [pd.Timestamp(D - timedelta(days=ago), tz="America/New_York") for ago in days_ago]
    return [event(customer_id, "purchase", f"{at.date()}T23:30{at:%z}", "milk", 1, price) for at in instants]


STAGES = {
    # what the customer did: purchases these days ago, stage
    "today": ([0], "new"),
    "twice, first 29 days ago": ([29, 3], "new"),
    "first 30 days ago": ([30], "active"),
    "once, 3 usual intervals ago": ([90], "active"),
    "once, longer ago": ([91], "at_risk"),
    "once, 6 usual intervals ago": ([180], "at_risk"),
    "once, longer yet": ([181], "lapsed"),
    "every 2 days, the last 14 ago": ([*range(14, 98, 2)], "active"),
    "every 2 days, the last 15 ago": ([*range(15, 99, 2)], "at_risk"),
    "every 2 days, the last 61 ago": ([*range(61, 120, 2)], "lapsed"),
    "every 20 days, the last 61 ago": ([*range(61, 360, 20)], "at_risk"),
    "nothing in the window": ([365, 400], "lapsed"),
    # Six usual intervals are 180 days; six of 7 days fewer than 60.
    "back after 181 days": ([0, 181], "reactivated"),
    "back after 180 days": ([0, 180], "active"),
    "back after 61 of weekly purchases": ([0, 61, 68, 75], "reactivated"),
    "back after 60 of weekly purchases": ([0, 60, 67, 74], "active"),
    "back 29 days ago": ([29, 90, 97, 104], "reactivated"),
    "back 30 days ago": ([30, 91, 98, 105], "active"),
    "back, and once more": ([0, 10, 191], "active"),
    "back after the window": ([0, 500], "reactivated"),
    "back early in the window": ([300, 500], "lapsed"),
}


def test_stages_at_their_thresholds(engine: Engine, settings: Settings) -> None:
    land(
        engine,
        customer_rows=[{"customer_id": "known"}],
        event_rows=[
            *(row for name, (days_ago, _) in STAGES.items() for row in bought(name, *days_ago)),
            event("looker", "view", "2017-11-30T12:00-05:00", "milk"),
        ],
    )
    build_features(engine, settings, business_date=D)
    profiles = customer_profiles(engine)
    stages = {customer_id: profile.lifecycle_stage for customer_id, profile in profiles.items()}
    expected = {name: stage for name, (_, stage) in STAGES.items()} | {"known": "prospect", "looker": "prospect"}
    assert stages == expected
    assert set(stages.values()) == set(LIFECYCLE_STAGES)
    assert {profile.segment for profile in profiles.values()} <= set(SEGMENTS)


def test_thresholds_are_settings_and_do_not_begin_the_totals_anew(engine: Engine, make_settings: MakeSettings) -> None:
    land(engine, event_rows=bought("c", 40))
    build_features(engine, make_settings(), business_date=D)
    eager = {"lifecycle": {"at_risk_days": 2, "at_risk_intervals": 0.5, "lapsed_days": 3, "lapsed_intervals": 1.3}}
    tomorrow = D + timedelta(days=1)
    build_features(engine, make_settings(features=eager), business_date=tomorrow)
    with engine.connect() as connection:
        query = text("select lifecycle_stage, segment from marketing.current_customer_features")
        assert connection.execute(query).one() == ("lapsed", "lapsed")
        assert connection.execute(text("select landmark from marketing.feature_state")).scalar_one() == D


def test_risk_must_come_before_the_end() -> None:
    for fields in ({"lapsed_days": 10}, {"at_risk_intervals": 7.0}):
        with pytest.raises(ValueError, match="must not be below at_risk"):
            LifecycleSettings(**fields)


@pytest.fixture
def shoppers(engine: Engine) -> pd.DataFrame:
    """400 customers of the BG/NBD and Gamma-Gamma kind over 300 days; one row per customer and day with a purchase."""
    random = np.random.default_rng(11)
    rows = []
    for number in range(400):
        rate, chance = random.gamma(0.8, 1 / 12), random.beta(0.9, 6.0)
        mean = random.gamma(6.25 * 2, 1 / random.gamma(3.74, 1 / 15.44)) / 2
        day = int(random.integers(0, 300))
        days = {day}
        while random.random() >= chance and (day := day + 1 + int(random.exponential(1 / rate))) < 300:
            days.add(day)
        rows += [(f"c{number}", 299 - day, round(float(random.gamma(4, mean / 4)), 2) + 0.01) for day in sorted(days)]
    frame = pd.DataFrame(rows, columns=["customer_id", "ago", "price"])
    noon = pd.Timestamp(D, tz="America/New_York") + pd.Timedelta(hours=12)
    landed = pd.DataFrame(
        {
            "event_id": [f"e{number}" for number in range(len(frame))],
            "event_type": "purchase",
            "customer_id": frame.customer_id,
            "occurred_at": noon - pd.to_timedelta(frame.ago, unit="D"),
            "item_id": "milk",
            "quantity": 1,
            "unit_price": frame.price,
            "file_id": 1,
            "row_number": range(len(frame)),
        }
    )
    with engine.begin() as connection:
        copy_in(connection, events, landed)
    return frame


def test_forecasts_are_those_of_the_models(engine: Engine, make_settings: MakeSettings, shoppers: pd.DataFrame) -> None:
    refunded, only_looks = "c0", "looker"
    land(
        engine,
        event_rows=[
            event(refunded, "return", "2017-11-30T12:00-05:00", "milk", 1, 99_999.0),
            event(only_looks, "view", "2017-11-30T12:00-05:00", "milk"),
        ],
    )
    summary = build_features(engine, make_settings(features={"forecast_days": 45}), business_date=D)
    assert summary.forecast == "forecast from 400 of 400 customers who bought"
    known = shoppers.groupby("customer_id").agg(
        orders=("ago", "size"), first=("ago", "max"), last=("ago", "min"), amount=("price", "sum")
    )
    known.loc[refunded, "amount"] -= 99_999
    history = known.orders - 1, known["first"] - known["last"], known["first"]
    orders = lifetime.fit_orders(*history, np.ones(400))
    paid = known[known.amount > 0]
    spend = lifetime.fit_spend(paid.orders, paid.amount, np.ones(len(paid)))
    assert orders is not None
    assert spend is not None
    # Fitted from counts in another order: alike as far as the search for the likeliest goes.
    profiles = customer_profiles(engine)
    silence = lifetime.no_order_probability(orders, *history, 45)
    alive = lifetime.alive_probability(orders, *history)
    expected = lifetime.expected_orders(orders, *history, 45)
    value = expected * lifetime.expected_order_value(spend, known.orders, known.amount)
    recent = shoppers[shoppers.ago < 45].groupby("customer_id").price.agg(["size", "sum"])
    recent = recent.reindex(known.index).fillna(0.0)
    recent.loc[refunded, "sum"] = 0.0
    long_here = known["first"] >= 45
    expected = np.where(long_here, (expected + alive * recent["size"]) / 2, expected)
    value = np.where(long_here, (value + alive * recent["sum"]) / 2, value)
    for customer_id, *figures in zip(known.index, silence, expected, value, strict=True):
        row = profiles[customer_id]
        found = [row.churn_probability, row.expected_orders, float(row.expected_value)]
        assert found == pytest.approx(figures, rel=1e-3, abs=1e-4), customer_id
    outlook = profiles[only_looks]
    assert (outlook.churn_probability, outlook.expected_orders, outlook.expected_value) == (None, None, None)
    assert profiles[refunded].expected_value > 0


def test_a_draw_of_the_buyers_teaches_nearly_the_same(
    engine: Engine, settings: Settings, shoppers: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_features(engine, settings, business_date=D)
    of_all = customer_profiles(engine)
    monkeypatch.setattr(forecast, "DRAWN_BUYERS", 250)
    summary = build_features(engine, settings, business_date=D)
    drawn = int(summary.forecast.split()[2])
    assert 200 < drawn < 300, summary.forecast
    of_some = customer_profiles(engine)
    gaps = [abs(of_some[name].churn_probability - row.churn_probability) for name, row in of_all.items()]
    assert 0 < max(gaps) < 0.1
    assert build_features(engine, settings, business_date=D).forecast == summary.forecast
    again = customer_profiles(engine)
    assert all(again[name].expected_value == row.expected_value for name, row in of_some.items())


def few(days_ago: list[list[int]]) -> list[dict[str, Any]]:
    return [row for number, ago in enumerate(days_ago) for row in bought(f"c{number}", *ago)]


@pytest.mark.parametrize(
    ("days_ago", "reason"),
    [
        ([[90, 80]] * 99, "99 customers ever bought, and 100 are needed"),
        ([[90]] * 71 + [[90, 80]] * 29, "29 customers bought on a second day, and 30 are needed"),
        ([[59, 30]] * 100, "the first purchase is 59 days old, and 60 days ahead are asked for"),
        ([], "0 customers ever bought, and 100 are needed"),
    ],
    ids=["too few", "nobody returned", "too young", "nobody"],
)
def test_with_too_little_to_learn_from_nothing_is_said(
    engine: Engine, settings: Settings, days_ago: list[list[int]], reason: str
) -> None:
    land(engine, customer_rows=[{"customer_id": "known"}], event_rows=few(days_ago))
    assert build_features(engine, settings, business_date=D).forecast == f"no forecast: {reason}"
    for profile in customer_profiles(engine).values():
        assert (profile.churn_probability, profile.expected_orders, profile.expected_value) == (None, None, None)
        assert profile.lifecycle_stage is not None


def test_a_search_that_does_not_end_says_nothing(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(engine, event_rows=few([[90 - number % 7, 70 - number % 50] for number in range(120)]))
    monkeypatch.setattr(forecast, "fit_spend", lambda *_: None)
    assert "no expected value" in build_features(engine, settings, business_date=D).forecast
    assert {row.expected_value for row in customer_profiles(engine).values()} == {None}
    monkeypatch.setattr(forecast, "fit_orders", lambda *_: None)
    assert build_features(engine, settings, business_date=D).forecast.startswith("no forecast: the search")
    assert {row.churn_probability for row in customer_profiles(engine).values()} == {None}


def test_without_prices_there_is_churn_and_no_value(engine: Engine, settings: Settings) -> None:
    rows = few([[90 - number % 7, 70 - number % 50] for number in range(120)])
    land(engine, event_rows=[row | {"unit_price": None} for row in rows])
    summary = build_features(engine, settings, business_date=D)
    assert "no expected value" in summary.forecast
    for profile in customer_profiles(engine).values():
        assert 0 < profile.churn_probability < 1
        assert profile.expected_orders > 0
        assert profile.expected_value is None


def test_equal_prices_are_no_trouble(engine: Engine, settings: Settings) -> None:
    land(engine, event_rows=few([[90 - number % 7, 70 - number % 50, number % 11] for number in range(120)]))
    build_features(engine, settings, business_date=D)
    for profile in customer_profiles(engine).values():
        assert profile.expected_orders > 1
        assert float(profile.expected_value) == pytest.approx(profile.expected_orders, rel=0.02)


def buys(customer_id: str, item_id: str, *prices: float | None, first: int = 0) -> list[dict[str, Any]]:
    """One a day at noon in New York, the last on the day ``first`` before D."""
    days = [D - timedelta(days=first + number) for number in range(len(prices))]
    return [
        event(customer_id, "purchase", f"{day}T17:00+00:00", item_id, 1, price)
        for day, price in zip(days, prices, strict=True)
    ]


def test_who_waits_for_bargains(engine: Engine, settings: Settings) -> None:
    land(
        engine,
        event_rows=[
            # Tea costs 10, salt nearly so always, and pepper one price.
            *buys("waits", "tea", 9.0, 8.0, 5.0, 10.0),
            *buys("pays", "tea", 10.0, 10.0, 10.0, 9.01, 12.0, 10.0, 10.0),
            *buys("pays", "pepper", *[3.0] * 5),
            # The lowest price of a day is the one that counts, and a day is one purchase.
            *buys("twice a day", "tea", 10.0),
            *buys("twice a day", "tea", 4.0),
            *buys("salt", "salt", 1.0, 0.95, 1.0, 0.91),
            *buys("unpriced", "tea", None),
            *buys("long ago", "tea", 1.0, first=365),
            event("returns", "return", "2017-11-30T12:00-05:00", "tea", 1, 2.0),
        ],
    )
    build_features(engine, settings, business_date=D)
    found = {name: profile.discount_sensitivity for name, profile in customer_profiles(engine).items()}
    mean = 4 / 12  # three of the first, none of seven, one of one
    assert found["waits"] == pytest.approx((3 + 50 * mean) / 54)
    assert found["pays"] == pytest.approx(50 * mean / 57)
    assert found["twice a day"] == pytest.approx((1 + 50 * mean) / 51)
    assert [found[name] for name in ("salt", "unpriced", "long ago", "returns")] == [None] * 4


def test_what_a_bargain_is_is_a_setting_and_moves_with_the_median(engine: Engine, make_settings: MakeSettings) -> None:
    land(engine, event_rows=[*buys("a", "tea", 10.0, 10.0, 7.9), *buys("b", "tea", 10.0)])
    settings = make_settings(features={"bargain_below": 0.2})
    build_features(engine, settings, business_date=D)
    assert customer_profiles(engine)["a"].discount_sensitivity == pytest.approx((1 + 50 / 4) / 53)
    # The next day everyone pays less: 7.9 becomes the usual price, and 10 no longer says anything.
    tomorrow = D + timedelta(days=1)
    land(
        engine,
        event_rows=[
            row | {"occurred_at": row["occurred_at"] + timedelta(days=1)} for row in buys("c", "tea", *[7.9] * 5)
        ],
    )
    build_features(engine, settings, business_date=tomorrow)
    with engine.connect() as connection:
        query = text("select count(*), count(discount_sensitivity) from marketing.current_customer_features")
        assert connection.execute(query).one() == (3, 0)

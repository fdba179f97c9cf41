"""Every column of ``customer_features``, computed by hand."""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from features_world import customer_profiles, event, land
from sqlalchemy import Engine

from include.features import build_features
from include.settings import Settings

D = date(2017, 11, 30)
MakeSettings = Callable[..., Settings]


def hours(shares: dict[int, float]) -> Any:
    return pytest.approx([shares.get(hour, 0.0) for hour in range(24)], abs=1e-11)


def bought(customer_id: str, *days_ago: int) -> list[dict[str, Any]]:
    """A purchase at noon in New York on each of these days before D."""
    days = [D - timedelta(days=ago) for ago in days_ago]
    return [event(customer_id, "purchase", f"{day}T17:00+00:00", "milk", 1, 1.0) for day in days]


def test_a_profile_column_by_column(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features={"half_life_days": 1.0, "profile_days": 10, "favourite_categories": 2})
    land(
        engine,
        customer_rows=[{"customer_id": "c", "time_zone": "America/Los_Angeles"}],
        item_rows=[
            {"item_id": "milk", "category": "dairy"},
            {"item_id": "brie", "category": "dairy"},
            {"item_id": "roll", "category": "bakery"},
            {"item_id": "soap", "category": "home"},
            {"item_id": "loose"},
        ],
        event_rows=[
            # The day before the window: first purchase, and nothing else of the profile.
            event("c", "purchase", "2017-11-20T12:00-05:00", "soap", 1, 1000.0),
            event("c", "purchase", "2017-11-21T12:00-05:00", "soap", 2, 1.25),
            # 23:30 in New York is still the 28th and 20:30 in Los Angeles.
            event("c", "purchase", "2017-11-28T23:30-05:00", "milk", 2, 1.50),
            event("c", "purchase", "2017-11-28T23:30-05:00", "roll", None, 0.75),  # no quantity: one
            event("c", "purchase", "2017-11-28T23:40-05:00", "loose", 0.5, 4.00),
            event("c", "purchase", "2017-11-28T23:50-05:00", "loose", 3, None),  # no price: nothing
            event("c", "return", "2017-11-29T10:10-05:00", "milk", 1, 1.50),
            event("c", "return", "2017-11-29T10:20-05:00", "soap", -1, 1.25),  # the other sign
            event("c", "view", "2017-11-30T10:00-05:00", "brie"),
            event("c", "search", "2017-11-30T10:30-05:00"),
            event("c", "purchase", "2017-12-01T00:00-05:00", "brie", 9, 9.0),  # the day after D
        ],
    )
    build_features(engine, settings, business_date=D)
    profile = customer_profiles(engine)["c"]
    assert profile.business_date == D
    assert profile.recency == 2
    assert profile.frequency == 2  # the 21st and the 28th
    assert profile.monetary_value == Decimal("2.50") + Decimal("3.00") + Decimal("0.75") + 2 - Decimal("2.75")
    assert profile.first_purchase_at == datetime(2017, 11, 20, 17, tzinfo=UTC)
    assert profile.last_purchase_at == datetime(2017, 11, 29, 4, 50, tzinfo=UTC)
    assert profile.preferred_categories == ["bakery", "dairy"]  # 1/4 each, by name; soap 1/512 comes third
    # Los Angeles: the 21st 9 h (2^-9), the 28th 20 h (1/4), the 29th 7 h (1/2), the 30th 7 h (1).
    total = 2**-9 + 1 / 4 + 1 / 2 + 1
    assert profile.active_hours == hours({9: 2**-9 / total, 20: 0.25 / total, 7: 1.5 / total})
    assert profile.segment == "new"


def test_hours_follow_the_customers_clock_through_its_changes(engine: Engine, settings: Settings) -> None:
    # New York skips 02:00-03:00 on 12 March 2017 and repeats 01:00-02:00 on 5 November.
    land(
        engine,
        customer_rows=[
            {"customer_id": "spring", "time_zone": "America/New_York"},
            {"customer_id": "autumn", "time_zone": "America/New_York"},
            {"customer_id": "half", "time_zone": "Asia/Kolkata"},
        ],
        event_rows=[
            event("spring", "view", "2017-03-12T06:59:59+00:00"),  # 01:59:59
            event("spring", "view", "2017-03-12T07:00:00+00:00"),  # 03:00:00
            event("autumn", "view", "2017-11-05T05:30:00+00:00"),  # 01:30, summer
            event("autumn", "view", "2017-11-05T06:30:00+00:00"),  # 01:30, winter
            event("autumn", "view", "2017-11-05T07:30:00+00:00"),  # 02:30
            event("half", "view", "2017-11-05T12:29:00+00:00"),  # 17:59
            event("half", "view", "2017-11-05T12:30:00+00:00"),  # 18:00
        ],
    )
    build_features(engine, settings, business_date=D)
    profiles = customer_profiles(engine)
    assert profiles["spring"].active_hours == hours({1: 0.5, 3: 0.5})
    assert profiles["autumn"].active_hours == hours({1: 0.5, 2: 0.5})
    assert profiles["half"].active_hours == hours({17: 0.5, 18: 0.5})


def test_everyone_has_a_row_with_or_without_events_or_a_customers_row(engine: Engine, settings: Settings) -> None:
    land(
        engine,
        customer_rows=[{"customer_id": "silent"}, {"customer_id": "looker"}, {"customer_id": "later"}],
        event_rows=[
            event("looker", "view", "2017-11-30T12:00-05:00", "milk"),
            event("stranger", "purchase", "2017-11-29T12:00-05:00", "milk", 1, 2.0),
            event("later", "purchase", "2017-12-01T12:00-05:00", "milk", 1, 2.0),
            event("later_stranger", "purchase", "2017-12-01T12:00-05:00", "milk", 1, 2.0),
        ],
    )
    summary = build_features(engine, settings, business_date=D)
    profiles = customer_profiles(engine)
    assert profiles.keys() == {"silent", "looker", "later", "stranger"}
    assert summary.customers == 4
    for customer_id in ("silent", "later"):
        assert tuple(profiles[customer_id])[2:11] == (None, 0, 0, None, None, [], None, [], "no_purchase")
    looker = profiles["looker"]
    assert (looker.recency, looker.frequency, looker.monetary_value) == (None, 0, 0)
    assert (looker.price_band, looker.preferred_categories, looker.segment) == (None, [], "no_purchase")
    assert looker.active_hours == hours({12: 1.0})
    stranger = profiles["stranger"]
    assert (stranger.recency, stranger.frequency, stranger.monetary_value) == (1, 1, 2)
    assert stranger.active_hours == hours({12: 1.0})


def test_a_missing_or_impossible_zone_gives_way_to_the_default(
    engine: Engine, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(default_customer_time_zone="Europe/Berlin")
    zones = {"none": None, "wrong": "Mars/Olympus", "empty": "", "right": "Asia/Tokyo"}
    land(
        engine,
        customer_rows=[{"customer_id": name, "time_zone": zone} for name, zone in zones.items()],
        event_rows=[event(name, "view", "2017-11-30T12:00+00:00") for name in zones],
    )
    with caplog.at_level(logging.WARNING, logger="include.features"):
        build_features(engine, settings, business_date=D)
    profiles = customer_profiles(engine)
    for customer_id in ("none", "wrong", "empty"):
        assert profiles[customer_id].active_hours == hours({13: 1.0})
    assert profiles["right"].active_hours == hours({21: 1.0})
    (warning,) = caplog.messages
    assert warning.startswith("2 customers have a time_zone that Postgres does not know ('', 'Mars/Olympus')")
    assert "Europe/Berlin" in warning


SEGMENTS = {
    # what the customer did: purchases these days ago, segment
    "today": ([0], "new"),
    "first 29 days ago": ([29], "new"),
    "first 30 days ago": ([30], "regular"),
    "once, 3 usual intervals ago": ([90], "regular"),
    "once, longer ago": ([91], "at_risk"),
    "once, 6 usual intervals ago": ([180], "at_risk"),
    "once, longer yet": ([181], "lapsed"),
    "12 days a week apart": ([*range(0, 84, 7)], "loyal"),
    "11 days a week apart": ([*range(0, 77, 7)], "regular"),
    "12 days, 8 apart": ([*range(0, 96, 8)], "regular"),
    "every 2 days, the last 14 ago": ([*range(14, 98, 2)], "loyal"),
    "every 2 days, the last 15 ago": ([*range(15, 99, 2)], "at_risk"),
    "every 2 days, the last 60 ago": ([*range(60, 120, 2)], "at_risk"),
    "every 2 days, the last 61 ago": ([*range(61, 120, 2)], "lapsed"),
    "every 20 days, the last 60 ago": ([*range(60, 360, 20)], "regular"),
    "every 20 days, the last 61 ago": ([*range(61, 360, 20)], "at_risk"),
    "every 20 days, the last 121 ago": ([*range(121, 360, 20)], "lapsed"),
    "last day in the window": ([364, 365], "lapsed"),
    "nothing in the window": ([365, 400, 600, 800], "lapsed"),
    "back after the window": ([0, 365 + 200], "regular"),
}


def test_segments_at_their_thresholds(engine: Engine, settings: Settings) -> None:
    land(engine, event_rows=[row for name, (days_ago, _) in SEGMENTS.items() for row in bought(name, *days_ago)])
    build_features(engine, settings, business_date=D)
    segments = {customer_id: profile.segment for customer_id, profile in customer_profiles(engine).items()}
    assert segments == {name: segment for name, (_, segment) in SEGMENTS.items()}


def test_price_bands_compare_within_the_category(engine: Engine, settings: Settings) -> None:
    def buys(customer_id: str, item_id: str, price: float, times: int = 1) -> list[dict[str, Any]]:
        days = [D - timedelta(days=ago) for ago in range(times)]
        return [event(customer_id, "purchase", f"{day}T17:00+00:00", item_id, 1, price) for day in days]

    land(
        engine,
        item_rows=[
            {"item_id": "cheap wine", "category": "wine"},
            {"item_id": "fair wine", "category": "wine"},
            {"item_id": "dear wine", "category": "wine"},
            {"item_id": "gum", "category": "sweets"},
        ],
        event_rows=[
            # Of 10 purchase days of wine 4 are cheap, 2 fair, 4 dear: levels .2, .5 and .8. The only sweet is at .5,
            # though it costs less than any wine.
            *buys("saver", "cheap wine", 4.0, times=3),
            *buys("mixed", "cheap wine", 4.0),
            *buys("mixed", "dear wine", 40.0),
            *buys("fair", "fair wine", 8.0, times=2),
            *buys("spender", "dear wine", 40.0, times=3),
            *buys("spender", "gum", 0.5),
            *buys("sweet tooth", "gum", 0.5, times=9),
            event("unpriced", "purchase", "2017-11-30T17:00+00:00", "gum with no price"),
        ],
    )
    build_features(engine, settings, business_date=D)
    bands = {customer_id: profile.price_band for customer_id, profile in customer_profiles(engine).items()}
    assert bands == {
        "saver": "low",
        "mixed": "middle",
        "fair": "middle",
        "spender": "high",  # (3 · .8 + .5) / 4
        "sweet tooth": "middle",
        "unpriced": None,
    }


def test_favourites_are_weighed_by_decayed_purchase_days(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features={"half_life_days": 10.0, "favourite_categories": 3})
    land(
        engine,
        item_rows=[
            {"item_id": name, "category": name.split()[0]} for name in ("a 1", "b 1", "b 2", "c 1", "d 1", "e 1")
        ],
        event_rows=[
            event("c", "purchase", "2017-11-30T17:00+00:00", "a 1", 50, 99.0),  # 1, however many or dear
            event("c", "purchase", "2017-11-20T17:00+00:00", "b 1", 1, 1.0),  # 1/2 …
            event("c", "purchase", "2017-11-20T17:00+00:00", "b 2", 1, 1.0),  # … + 1/2 …
            event("c", "purchase", "2017-11-10T17:00+00:00", "b 2", 1, 1.0),  # … + 1/4
            event("c", "purchase", "2017-11-20T17:00+00:00", "d 1", 1, 1.0),  # 1/2
            event("c", "purchase", "2017-11-20T17:00+00:00", "c 1", 1, 1.0),  # 1/2
            event("c", "view", "2017-11-30T17:00+00:00", "e 1"),  # not a purchase
        ],
    )
    build_features(engine, settings, business_date=D)
    assert customer_profiles(engine)["c"].preferred_categories == ["b", "a", "c"]

"""Weights, days and boundaries of ``interactions`` and ``item_features``, computed by hand."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from features_world import event, interaction_rows, item_profiles, land
from sqlalchemy import Engine

from include.features import build_features
from include.settings import Settings

D = date(2017, 11, 30)
MakeSettings = Callable[..., Settings]


@pytest.fixture
def daily(make_settings: MakeSettings) -> Settings:
    """Half-life of one day: a decay is 1, 1/2, 1/4, …"""
    return make_settings(features={"half_life_days": 1.0})


def test_weight_counts_distinct_days_and_event_types_never_pieces(engine: Engine, daily: Settings) -> None:
    land(
        engine,
        event_rows=[
            # D: three lines of many pieces are one purchase day; a view and a cart beside it.
            event("c", "purchase", "2017-11-30T09:00-05:00", "milk", 12, 1.0),
            event("c", "purchase", "2017-11-30T09:00-05:00", "milk", 1, 1.0),
            event("c", "purchase", "2017-11-30T21:00-05:00", "milk", 500, 1.0),
            event("c", "view", "2017-11-30T08:00-05:00", "milk"),
            event("c", "view", "2017-11-30T08:01-05:00", "milk"),
            event("c", "add_to_cart", "2017-11-30T08:59-05:00", "milk"),
            # Two days earlier.
            event("c", "purchase", "2017-11-28T10:00-05:00", "milk", 1, 1.0),
            event("c", "click", "2017-11-28T09:00-05:00", "milk"),
            # Another customer and another item stay apart.
            event("c", "view", "2017-11-29T09:00-05:00", "bread"),
            event("d", "purchase", "2017-11-27T09:00-05:00", "milk", 1, 1.0),
        ],
    )
    summary = build_features(engine, daily, business_date=D)
    rows = interaction_rows(engine)
    assert summary.interactions == len(rows) == 3
    assert {row.business_date for row in rows.values()} == {D}
    milk = rows["c", "milk"]
    assert milk.weight == pytest.approx((1 + 0.1 + 0.5) + (1 + 0.2) / 4, abs=1e-11)
    assert milk.purchase_days == 2
    assert milk.last_occurred_at == datetime(2017, 12, 1, 2, tzinfo=UTC)
    assert rows["c", "bread"].weight == pytest.approx(0.1 / 2, abs=1e-11)
    assert rows["c", "bread"].purchase_days == 0
    assert rows["d", "milk"].weight == 1 / 8


def test_weights_and_half_life_are_the_settings_own(engine: Engine, make_settings: MakeSettings) -> None:
    settings = make_settings(features={"half_life_days": 60.0, "event_weights": {"purchase": 3.0, "rating": 0.5}})
    land(
        engine,
        event_rows=[
            event("c", "purchase", "2017-10-01T12:00-04:00", "milk"),  # 60 days before D
            event("c", "rating", "2017-11-30T12:00-05:00", "milk"),
            event("c", "view", "2017-11-30T12:00-05:00", "bread"),  # not configured: nothing
        ],
    )
    build_features(engine, settings, business_date=D)
    rows = interaction_rows(engine)
    assert rows.keys() == {("c", "milk")}
    assert rows["c", "milk"].weight == pytest.approx(3.0 / 2 + 0.5, abs=1e-11)


def test_weights_at_or_below_zero_are_left_out(engine: Engine, daily: Settings) -> None:
    land(
        engine,
        event_rows=[
            event("same_day", "purchase", "2017-11-30T09:00-05:00", "milk"),
            event("same_day", "return", "2017-11-30T18:00-05:00", "milk"),
            event("next_day", "purchase", "2017-11-29T09:00-05:00", "milk"),
            event("next_day", "return", "2017-11-30T18:00-05:00", "milk"),
            # 1 + 1/8 - 1/2, exactly.
            event("bought_again", "purchase", "2017-11-27T09:00-05:00", "milk"),
            event("bought_again", "return", "2017-11-29T09:00-05:00", "milk"),
            event("bought_again", "purchase", "2017-11-30T09:00-05:00", "milk"),
            event("searched", "search", "2017-11-30T09:00-05:00", "milk"),
            event("no_item", "search", "2017-11-30T09:00-05:00"),
            # Many days bought and returned: sums of floats would leave a rest.
            *(event("pairs", "purchase", f"2017-11-{day:02}T09:00-05:00", "milk") for day in range(6, 31)),
            *(event("pairs", "return", f"2017-11-{day:02}T19:00-05:00", "milk") for day in range(6, 31)),
        ],
    )
    build_features(engine, daily, business_date=D)
    rows = interaction_rows(engine)
    assert rows.keys() == {("bought_again", "milk")}
    assert rows["bought_again", "milk"].weight == 0.625
    assert rows["bought_again", "milk"].purchase_days == 2


# Of each day the last second before it, its first second, its last microsecond and the first second after; in UTC.
DAYS = {
    "2017-11-30": ("2017-11-30T04:59:59", "2017-11-30T05:00", "2017-12-01T04:59:59.999999", "2017-12-01T05:00"),
    "2017-11-05": ("2017-11-05T03:59:59", "2017-11-05T04:00", "2017-11-06T04:59:59.999999", "2017-11-06T05:00"),  # 25 h
    "2017-03-12": ("2017-03-12T04:59:59", "2017-03-12T05:00", "2017-03-13T03:59:59.999999", "2017-03-13T04:00"),  # 23 h
}


@pytest.mark.parametrize("day", DAYS)
def test_days_begin_and_end_with_the_business_zones_clock(engine: Engine, daily: Settings, day: str) -> None:
    instants = dict(zip(("before", "first", "last", "after"), DAYS[day], strict=True))
    land(engine, event_rows=[event(name, "purchase", f"{at}+00:00", "milk") for name, at in instants.items()])
    build_features(engine, daily, business_date=date.fromisoformat(day))
    weights = {customer_id: row.weight for (customer_id, _), row in interaction_rows(engine).items()}
    assert weights == {"last": 1.0, "first": 1.0, "before": 0.5}


def test_item_profile_column_by_column(engine: Engine, daily: Settings) -> None:
    land(
        engine,
        item_rows=[{"item_id": "milk", "category": "dairy"}, {"item_id": "never_seen", "category": "dairy"}],
        event_rows=[
            event("c", "purchase", "2017-11-30T09:00-05:00", "milk", 2, 1.00),
            event("c", "purchase", "2017-11-30T10:00-05:00", "milk", 1, 1.10),
            event("c", "purchase", "2017-11-29T10:00-05:00", "milk", 1, 3.00),
            event("d", "purchase", "2017-11-28T10:00-05:00", "milk", 9, 1.25),
            event("d", "purchase", "2017-11-28T11:00-05:00", "milk"),  # no price
            event("d", "return", "2017-11-30T23:00-05:00", "milk", 9, 1.25),
            event("e", "view", "2017-11-30T23:00-05:00", "milk"),
            event("e", "purchase", "2017-12-01T00:00-05:00", "milk", 1, 99.0),  # the day after
            event("e", "view", "2017-11-30T23:00-05:00", "not_in_items"),
        ],
    )
    summary = build_features(engine, daily, business_date=D)
    profiles = item_profiles(engine)
    assert summary.items == 2
    assert profiles.keys() == {"milk", "not_in_items"}
    milk = profiles["milk"]
    assert (milk.category, milk.buyers, milk.purchase_days) == ("dairy", 2, 3)
    assert milk.popularity == 1 + 1 / 2 + 1 / 4
    assert milk.median_price == Decimal("1.175")  # between 1.10 and 1.25
    assert milk.last_purchase_at == datetime(2017, 11, 30, 15, tzinfo=UTC)
    unknown = profiles["not_in_items"]
    assert (unknown.category, unknown.buyers, unknown.purchase_days, unknown.popularity) == (None, 0, 0, 0)
    assert (unknown.median_price, unknown.last_purchase_at) == (None, None)


def test_events_older_than_any_decay_do_no_harm(engine: Engine, make_settings: MakeSettings) -> None:
    land(engine, event_rows=[event("c", "purchase", "1990-01-01T12:00+00:00", "milk", 1, 2.0)])
    build_features(engine, make_settings(features={"half_life_days": 0.001}), business_date=D)
    assert interaction_rows(engine) == {}
    assert item_profiles(engine)["milk"].popularity == 0


def test_no_events_leave_no_interactions(engine: Engine, settings: Settings) -> None:
    land(engine, event_rows=[event("c", "purchase", "2017-11-30T09:00-05:00", "milk")])
    build_features(engine, settings, business_date=D)
    assert interaction_rows(engine)
    summary = build_features(engine, settings, business_date=date(2017, 11, 1))
    assert (summary.customers, summary.items, summary.interactions) == (0, 0, 0)
    assert interaction_rows(engine) == {}

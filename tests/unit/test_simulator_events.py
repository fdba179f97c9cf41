"""The made-up shop: the same rows whenever and for whomever it is asked, by the landing contract, near its rates."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.compute
import pytest
from pydantic import ValidationError

from include.business_time import day_bounds
from include.landing.rules import RULES
from include.settings import Settings
from include.simulator import World, activity, rates, shop_files, world_named
from include.simulator.activity import events_of
from include.simulator.catalogue import catalogue_of
from include.simulator.chance import geometric, poisson, uniform
from include.simulator.clock import DayClock
from include.simulator.people import EMAIL, PUSH, WEEKDAY, WEEKEND, people_of

WORLD = World(customers=3_000, items=500)
DAY = date(2026, 3, 4)
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return events_of(WORLD, DAY, ZONE).to_pandas()


def test_a_draw_depends_on_its_subject_and_names_alone() -> None:
    subjects = np.arange(1000, dtype=np.uint64)
    drawn = uniform(subjects, 1, "visits", DAY)
    assert np.array_equal(uniform(subjects[::-1], 1, "visits", DAY), drawn[::-1])
    assert np.array_equal(uniform(subjects[500:510], 1, "visits", DAY), drawn[500:510])
    assert not np.array_equal(uniform(subjects, 2, "visits", DAY), drawn)
    assert not np.array_equal(uniform(subjects, 1, "views", DAY), drawn)


def test_draws_have_the_distributions_they_are_named_after() -> None:
    subjects = np.arange(100_000, dtype=np.uint64)
    drawn = uniform(subjects, "u")
    assert abs(drawn.mean() - 0.5) < 0.005
    assert np.abs(np.histogram(drawn, 10, (0, 1))[0] / 10_000 - 1).max() < 0.05
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02
    counts = poisson(subjects, np.full(100_000, 0.7), "n")
    assert counts.mean() == pytest.approx(0.7, abs=0.02)
    assert counts.var() == pytest.approx(0.7, abs=0.03)
    assert geometric(subjects, 3.0, "g").mean() == pytest.approx(3.0, abs=0.06)


def test_a_day_is_the_same_in_any_order_and_in_any_chunks(
    events: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "CUSTOMERS_AT_ONCE", 700)
    people_of.cache_clear()
    catalogue_of.cache_clear()
    events_of(WORLD, DAY + timedelta(days=5), ZONE)
    pd.testing.assert_frame_equal(events_of(WORLD, DAY, ZONE).to_pandas(), events)
    other = events_of(WORLD.model_copy(update={"seed": 2}), DAY, ZONE).to_pandas()
    assert not other["event_id"].isin(events["event_id"]).all()


def test_a_larger_world_has_the_same_first_customers(events: pd.DataFrame) -> None:
    larger = events_of(WORLD.model_copy(update={"customers": 3_500}), DAY, ZONE).to_pandas()
    theirs = larger[larger["customer_id"].str[1:].astype(int) < 3_000].reset_index(drop=True)
    pd.testing.assert_frame_equal(theirs, events)


def test_events_keep_the_contract(events: pd.DataFrame) -> None:
    known = set(RULES["events"].column_names) | {"device", "channel", "generated"}
    assert set(events.columns) <= known
    assert set(RULES["events"].required) <= set(events.columns)
    assert events["event_id"].is_unique
    assert events["generated"].all()
    start, end = day_bounds(DAY, ZONE)
    assert events["occurred_at"].between(start, end, inclusive="left").all()
    purchases = events[events["event_type"] == "purchase"]
    assert (purchases["quantity"] > 0).all()
    assert purchases[["item_id", "unit_price", "order_id"]].notna().all().all()
    assert events.loc[events["event_type"] == "search", "query"].notna().all()
    told_apart = ["customer_id", "occurred_at", "event_type", "item_id"]
    assert not events.duplicated(told_apart).any()


def test_visits_and_orders_come_at_the_stated_rates(events: pd.DataFrame) -> None:
    kinds = Counter(events["event_type"])
    assert set(kinds) == {"view", "search", "click", "add_to_cart", "purchase", "return"}
    views = events[events["event_type"] == "view"]
    # A visit's views share its fraction of a second.
    visits = views.groupby("customer_id")["occurred_at"].agg(lambda times: times.dt.microsecond.nunique()).sum()
    assert kinds["view"] / visits == pytest.approx(1 + rates.VIEWS_AFTER_FIRST, rel=0.1)
    assert kinds["search"] / visits == pytest.approx(rates.SEARCH_SHARE, abs=0.06)
    assert kinds["add_to_cart"] / visits == pytest.approx(rates.CART_SHARE, abs=0.05)
    assert kinds["return"] < 0.15 * kinds["purchase"]


def test_what_is_bought_regularly_comes_again_after_its_interval() -> None:
    world = World(customers=400, items=300, visits_per_day=0.0, joining_share=0.0)
    people = people_of(world)
    days = [world.first_night + timedelta(days=number) for number in range(30)]
    bought = pyarrow.concat_tables([events_of(world, day, "UTC") for day in days]).to_pandas()
    bought = bought[bought["event_type"] == "purchase"]
    counts = bought.groupby(["customer_id", "item_id"]).size()
    expected = {}
    for who in range(len(people)):
        for item, interval in zip(people.staples[who], people.staple_interval[who], strict=True):
            if item >= 0:
                key = (f"c{who}", f"i{item}")
                expected[key] = expected.get(key, 0.0) + 30 / interval
    regular = counts[counts.index.isin(expected)]
    usual = rates.STAPLE_BOUGHT_HERE * (1 - rates.OUT_OF_STOCK_SHARE)
    assert regular.sum() == pytest.approx(usual * sum(expected.values()), rel=0.06)
    assert np.corrcoef(regular, [expected[key] for key in regular.index])[0, 1] > 0.8


def test_a_returned_item_was_bought_before() -> None:
    days = [WORLD.first_night + timedelta(days=number) for number in range(14)]
    world = WORLD.model_copy(update={"customers": 1_500})
    rows = pyarrow.concat_tables([events_of(world, day, "UTC") for day in days]).to_pandas()
    returns = rows[(rows["event_type"] == "return") & (rows["occurred_at"] >= pd.Timestamp(days[13], tz="UTC"))]
    bought = rows[rows["event_type"] == "purchase"].groupby(["customer_id", "order_id", "item_id"])["occurred_at"].max()
    origin = bought.loc[list(zip(returns["customer_id"], returns["order_id"], returns["item_id"], strict=True))]
    assert len(returns) > 0
    assert (origin.to_numpy() < returns["occurred_at"].to_numpy()).all()


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1), date(2026, 3, 29), date(2026, 4, 5)])
@pytest.mark.parametrize("business_zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
def test_clocks_agree_with_the_time_zone_data(day: date, business_zone: str) -> None:
    clock = DayClock.of(WORLD, day, business_zone)
    start, end = day_bounds(day, business_zone)
    assert (clock.start, clock.seconds) == (start.timestamp(), (end - start).total_seconds())
    zones = np.repeat(np.arange(len(WORLD.time_zones)), 200)
    instants = clock.start + np.tile(np.linspace(0, clock.seconds - 1, 200).round(), len(WORLD.time_zones))
    hour, is_weekend = clock.local(zones, instants)
    for zone, instant, told, weekend in zip(zones, instants, hour, is_weekend, strict=True):
        local = datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(WORLD.time_zones[zone].time_zone))
        assert told == pytest.approx(local.hour + local.minute / 60 + local.second / 3600)
        assert weekend == (local.weekday() >= 5)
    back = clock.local(zones, clock.instant(zones, hour))[0]
    # An hour that the clock skips or that the day does not hold has no instant: there it is off by the change.
    assert np.mean(np.abs(back - hour) < 1e-6) > 0.9


def test_personal_hours_are_as_strong_as_the_world_says() -> None:
    who, noon = np.arange(3_000), np.zeros(3_000, np.int64)
    gains = {}
    for strength in ("none", "mild", "strong"):
        hours = people_of(WORLD.model_copy(update={"personal_hours": strength})).hours
        odds = hours.log_odds(who, noon, noon, np.arange(8.0, 21.0)[:, None], 0.0)
        rate = 1 / (1 + np.exp(-odds))
        assert rate.mean() == pytest.approx(WORLD.click_rate, rel=0.05)
        gains[strength] = float(rate.max(axis=0).mean() / rate.mean())
    assert gains["none"] == pytest.approx(1.0)
    assert 1.3 < gains["mild"] < 1.9 < gains["strong"]


def test_peaks_differ_by_channel_and_type_of_day_and_drift() -> None:
    peaks = people_of(WORLD).hours.peaks
    assert np.std(peaks[PUSH, WEEKDAY] - peaks[EMAIL, WEEKDAY]) == pytest.approx(rates.PUSH_PEAK_SPREAD_HOURS, rel=0.1)
    assert np.mean(peaks[EMAIL, WEEKEND] - peaks[EMAIL, WEEKDAY]) == pytest.approx(rates.WEEKEND_LATER_HOURS, abs=0.1)
    moved = people_of(WORLD.model_copy(update={"peak_drift_hours": 6.0})).hours.drift * 90
    assert set(np.unique(np.round(moved, 6))) == {0.0, 6.0}
    assert np.mean(moved > 0) == pytest.approx(0.5, abs=0.04)


def test_tastes_are_shared_by_styles_and_change_where_the_world_says() -> None:
    people, catalogue = people_of(WORLD), catalogue_of(WORLD)
    who = np.arange(500)
    favourite = people.taste.argmax(axis=1)[who]
    best = catalogue.at_place(favourite, people.style[who], np.zeros(500))
    assert people.fit(who, best[:, None], catalogue, 0.0).min() == pytest.approx(1.0)
    anything = np.random.default_rng(1).integers(0, 500, (500, 4))
    assert people.fit(who, anything, catalogue, 0.0).mean() < 0.3
    drifting = people_of(WORLD.model_copy(update={"taste_drift_share": 1.0}))
    before, after = drifting.taste_on(who, -1.0), drifting.taste_on(who, 90.0)
    assert np.mean(before.argmax(axis=1) != after.argmax(axis=1)) > 0.85


def test_cold_customers_never_come_and_late_ones_not_before_they_join() -> None:
    world = World(customers=2_000, cold_share=0.5, joining_share=0.5)
    people = people_of(world)
    came = {int(name[1:]) for name in events_of(world, world.first_night, "UTC")["customer_id"].to_pylist()}
    assert came
    assert not came & set(np.flatnonzero((people.visits == 0) & (people.staples < 0).all(axis=1)))
    assert not came & set(np.flatnonzero(people.joined > 0))
    landed = [shop_files.joined_on(world, world.first_night + timedelta(days=day)) for day in range(-1, 91)]
    assert sorted(np.concatenate(landed)) == list(range(2_000))


def test_the_other_files_keep_the_contract_and_hold_no_truth() -> None:
    clock = DayClock.of(WORLD, DAY, ZONE)
    who = np.arange(300)
    files = {
        "customers": shop_files.customers(WORLD, who, clock),
        "items": shop_files.items(WORLD, Settings(), DAY, changed_only=False),
        "consents": shop_files.consents(WORLD, who, clock),
        "campaigns": shop_files.campaigns(WORLD),
    }
    for table, rows in files.items():
        assert set(rows.column_names) <= set(RULES[table].column_names) | {"generated"}, table
        assert set(RULES[table].required) <= set(rows.column_names), table
        assert pyarrow.compute.all(rows["generated"]).as_py(), table
    assert all(email is None or email.endswith(".example.com") for email in files["customers"]["email"].to_pylist())
    tokens = files["customers"]["push_token"].drop_null().to_pandas()
    assert tokens.is_unique
    assert tokens.str.fullmatch("[0-9a-f]{16}").all()


def test_items_of_a_later_day_are_those_that_changed() -> None:
    changes = [shop_files.items(WORLD, Settings(), DAY + timedelta(days=day), changed_only=True) for day in range(7)]
    assert sorted(rows.num_rows > 0 for rows in changes) == [False] * 6 + [True]


def test_a_world_has_the_published_rates_unless_it_says_otherwise() -> None:
    assert World().click_rate == rates.CLICK_RATE
    sells = {terms.campaign_id: terms.orders_per_click for terms in World().campaigns}
    assert sells == {"picks": rates.ORDERS_PER_CLICK, "comeback": 0.0, "welcome": rates.ORDERS_PER_CLICK}


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="custmers"):
        World.model_validate({"custmers": 5})
    with pytest.raises(ValueError, match="no world 'wild': choose none, mild, strong"):
        world_named("wild")
    assert world_named("strong").strength == 1.0

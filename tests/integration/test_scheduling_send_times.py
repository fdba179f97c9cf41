"""``learn_send_times`` on a real Postgres: which sends and clicks count, at which hour, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest
from scheduling_shop import DATE, END_OF_DAY, LANDED, Shop
from sqlalchemy import Engine

from include.db import tables
from include.scheduling import learn_send_times
from include.scheduling.responses import read_responses
from include.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def shop(engine: Engine) -> Shop:
    return Shop(engine)


def hour_counts(shop: Shop, customer_id: str, channel: str = "email") -> dict[tuple[str, int], tuple[float, float]]:
    """Mean rate and its lower bound by day type and hour."""
    rows = shop.rows(
        "select * from marketing.send_time_profiles where customer_id = :customer and channel = :channel",
        customer=customer_id,
        channel=channel,
    )
    return {(row["day_type"], row["hour"]): (row["rate_mean"], row["rate_low"]) for row in rows}


def gained(shop: Shop, engine: Engine, settings: Settings, act: Callable[[], None]) -> tuple[float, float]:
    """Decayed sends and clicks that ``act`` adds to the summary."""
    before = learn_send_times(engine, settings, business_date=DATE)
    act()
    after = learn_send_times(engine, settings, business_date=DATE)
    return after.matured_sends - before.matured_sends, after.clicks - before.clicks


def test_every_customer_has_ninety_six_sound_rows(shop: Shop, engine: Engine, settings: Settings) -> None:
    for number in range(5):
        shop.customer(f"c{number}", active_hours=[0.0] * 18 + [1.0] + [0.0] * 5, segment="loyal" if number else "new")
    summary = learn_send_times(engine, settings, business_date=DATE)
    assert (summary.customers, summary.profile_rows) == (5, 5 * 96)
    cells = "select count(*) as n, count(distinct (channel, day_type, hour)) as cells from marketing.send_time_profiles"
    assert shop.rows(cells) == [{"n": 480, "cells": 96}]
    unsound = """
        select * from marketing.send_time_profiles
        where not (0 < rate_low and rate_low < rate_mean and rate_mean < rate_high and rate_high < 1)
           or business_date <> :day
    """
    assert shop.rows(unsound, day=DATE) == []


def test_a_send_counts_at_the_local_hour_and_day_type(shop: Shop, engine: Engine, settings: Settings) -> None:
    shop.customer("tokyo", time_zone="Asia/Tokyo")
    shop.customer("unknown zone", time_zone="Mars/Olympus")
    friday_evening = datetime.fromisoformat("2017-11-24T20:30:00-05:00")  # Saturday 10:30 in Tokyo
    for customer in ("tokyo", "unknown zone"):
        shop.message(customer, send_at=friday_evening)
        shop.click(f"click-{customer}", at=friday_evening + timedelta(hours=1), message_id=message_of(shop, customer))
    with engine.connect() as connection:
        responses = read_responses(connection, settings, DATE)
    counts = responses.counts["email"]
    for customer, cell in (("tokyo", (1, 10)), ("unknown zone", (0, 20))):
        row = responses.customers.to_pylist().index(customer)
        known = counts.of(np.array([row]))
        for told in (known.sends[0], known.clicks[0]):
            assert [tuple(found) for found in np.argwhere(told)] == [cell]
            assert told[cell] == pytest.approx(0.5 ** (6.146 / settings.scheduling.half_life_days), rel=1e-3)


def message_of(shop: Shop, customer_id: str) -> str:
    return shop.rows("select message_id from marketing.messages where customer_id = :c", c=customer_id)[0]["message_id"]


def test_what_counts_as_a_send(shop: Shop, engine: Engine, settings: Settings) -> None:
    shop.customer("a")
    half_life = timedelta(days=settings.scheduling.half_life_days)
    sent = END_OF_DAY - half_life
    not_counted = [
        {"send_at": sent, "state": "failed", "message_id": "failed"},
        {"send_at": sent, "state": "unknown", "message_id": "unknown"},
        {"send_at": END_OF_DAY - timedelta(hours=24), "message_id": "not matured"},
    ]
    for number, fields in enumerate(not_counted):
        assert gained(
            shop, engine, settings, lambda f=fields, n=number: shop.message("a", campaign_id=str(n), **f)
        ) == (0, 0)
    assert gained(shop, engine, settings, lambda: shop.message("a", send_at=sent)) == (0.5, 0), (
        "halved by its half-life"
    )

    def history(arm: str) -> Callable[[], None]:
        row = {"campaign_id": f"old-{arm}", "customer_id": "a", "channel": "email", "sent_at": sent, "arm": arm}
        return lambda: shop.add(tables.message_history, {**row, **LANDED})

    assert gained(shop, engine, settings, history("control")) == (0, 0)
    assert gained(shop, engine, settings, history("treated")) == (0.5, 0)


def test_what_weighs_next_to_nothing_is_not_read(shop: Shop, engine: Engine, make_settings: MakeSettings) -> None:
    shop.customer("a")
    settings = make_settings(scheduling={"half_life_days": 1.0})
    for days, counted in ((1200, 0), (6, 0), (3, 0.125)):
        sent = END_OF_DAY - timedelta(days=days)

        def add(sent: datetime = sent, days: int = days) -> None:
            shop.message("a", send_at=sent, campaign_id=str(days))
            shop.click(str(days), at=sent, campaign_id=str(days), customer_id="a")

        assert gained(shop, engine, settings, add) == (counted, counted)
    forever = make_settings(scheduling={"half_life_days": 1e6})
    with engine.connect() as connection:
        assert read_responses(connection, forever, DATE).counts["email"].sends.sum() == pytest.approx(3, abs=0.01)


def test_what_counts_as_a_click(shop: Shop, engine: Engine, settings: Settings) -> None:
    shop.customer("a")
    sent = END_OF_DAY - timedelta(days=settings.scheduling.half_life_days)
    shop.message("a", send_at=sent)
    shop.message("a", send_at=sent + timedelta(hours=2), channel="app_push", message_id="push")
    name = message_of(shop, "a")
    hour = timedelta(hours=1)
    not_counted = [
        {"at": sent + hour, "message_id": name, "is_machine": True},
        {"at": sent + 24 * hour, "message_id": name},
        {"at": sent - hour, "message_id": name},
        {"at": sent + hour, "message_id": name, "engagement_type": "open"},
        {"at": sent + hour, "message_id": "of nobody"},
        {"at": sent + hour, "campaign_id": "another", "customer_id": "a"},
    ]
    for number, fields in enumerate(not_counted):
        assert gained(shop, engine, settings, lambda f=fields, n=number: shop.click(f"no-{n}", **f)) == (0, 0)
    assert gained(shop, engine, settings, lambda: shop.click("one", at=sent + hour, message_id=name)) == (0, 0.5)
    twice = gained(shop, engine, settings, lambda: shop.click("two", at=sent + 2 * hour, message_id=name))
    assert twice == (0, 0), "a send is clicked or it is not"
    by_campaign = gained(
        shop, engine, settings, lambda: shop.click("three", at=sent + 3 * hour, campaign_id="earlier", customer_id="a")
    )
    assert by_campaign == (0, pytest.approx(0.5, abs=0.001)), "without a message it belongs to the latest send"
    assert hour_counts(shop, "a", "app_push") != hour_counts(shop, "a", "email")


def test_running_twice_and_from_later_data_gives_the_same_rows(shop: Shop, engine: Engine, settings: Settings) -> None:
    for number in range(4):
        shop.customer(f"c{number}")
        shop.message(f"c{number}", send_at=END_OF_DAY - timedelta(days=3, hours=number))
    learn_send_times(engine, settings, business_date=DATE)
    first = shop.fingerprint("send_time_profiles")
    shop.message("c1", send_at=END_OF_DAY + timedelta(hours=9), business_date=DATE)
    shop.features("c1", business_date=DATE + timedelta(days=1))
    shop.click("later", at=END_OF_DAY + timedelta(hours=1), campaign_id="earlier", customer_id="c2")
    learn_send_times(engine, settings, business_date=DATE)
    assert shop.fingerprint("send_time_profiles") == first
    learn_send_times(engine, settings, business_date=DATE + timedelta(days=1))
    assert shop.rows("select distinct customer_id from marketing.send_time_profiles") == [{"customer_id": "c1"}]
    later = shop.fingerprint("send_time_profiles")
    assert learn_send_times(engine, settings, business_date=DATE).profile_rows == 0, "they are of a later date"
    assert shop.fingerprint("send_time_profiles") == later


def test_without_features_it_says_what_to_run(engine: Engine, settings: Settings) -> None:
    with pytest.raises(ValueError, match="run build_features"):
        learn_send_times(engine, settings, business_date=DATE)


def test_unsound_features_are_counted_and_nobody_is_named(shop: Shop, engine: Engine, settings: Settings) -> None:
    for name, hours in (("ana", 24), ("ben", 23), ("cleo", 7)):
        shop.customer(name, active_hours=[1.0] * hours)
    with pytest.raises(ValueError, match=r"other than 24 for 2 customers on 2017-11-30: run build_features") as refused:
        learn_send_times(engine, settings, business_date=DATE)
    assert not any(name in str(refused.value) for name in ("ben", "cleo"))

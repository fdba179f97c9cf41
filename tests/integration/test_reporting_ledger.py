"""Why a customer got, or did not get, each message of a night: one query over the tables that the stages wrote."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from scheduling_shop import DATE, END_OF_DAY, Shop, treated
from sqlalchemy import Engine

from include.db import tables
from include.reporting.formats import short_date
from include.reporting.ledger import explain
from include.scheduling import (
    find_campaigns_to_approve,
    learn_responses,
    learn_send_times,
    record_approval,
    schedule_messages,
)
from include.settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def shop(engine: Engine) -> Shop:
    shop = Shop(engine)
    shop.items()
    return shop


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(scheduling={"messages_per_day": 1})


def plan(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)


def local(instant: datetime) -> str:
    at = instant.astimezone(BERLIN)
    return f"{short_date(at.date())} {at:%H:%M}"


def test_it_tells_the_whole_story_of_each_campaign_on_the_customers_clock(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", name="Spring", priority=2)
    shop.campaign("summer", name="Summer", priority=1)
    ana = shop.customer(treated("ana", "spring", "summer"), time_zone="Europe/Berlin")
    plan(shop, settings)
    [message] = shop.messages()
    sent_at = message["send_at"] + timedelta(minutes=4)
    with shop.engine.begin() as connection:
        connection.execute(tables.messages.update().values(state="sent", sent_at=sent_at))
    shop.click("k1", at=sent_at + timedelta(minutes=90), message_id=message["message_id"])
    shop.click("k2", at=sent_at + timedelta(seconds=1), message_id=message["message_id"], is_machine=True)
    shop.click("k3", at=sent_at, message_id="another's")

    spring, summer = explain(shop.engine, settings, ana, DATE)
    assert spring.startswith(
        f"Spring: The message by email, planned for {local(message['send_at'])}, went out on {local(sent_at)}."
    )
    decision = shop.decisions()[("spring", ana)]
    assert f"its probability was {100 * decision['propensity']:.1f}%." in spring
    assert "Left out for them that night: Summer." in spring
    assert f"Since then: clicked {local(sent_at + timedelta(minutes=90))}." in spring
    assert "Machines reacted 1 time," in spring
    assert summer.startswith("Summer: No message: had enough messages. Already has the 1 message(s) allowed")
    assert summer.endswith("Chosen for them that night instead: Spring.")


def test_a_refused_campaign_names_who_refused_it(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", name="Spring", requires_approval=True)
    ana = shop.customer(treated("ana", "spring"))
    plan(shop, settings)
    assert "waits for a person to approve the campaign" in explain(shop.engine, settings, ana, DATE)[0]
    previews = find_campaigns_to_approve(shop.engine, settings, business_date=DATE).previews
    record_approval(
        shop.engine, settings, business_date=DATE, campaign_id="spring", preview=previews["spring"],
        status="refused", answered_by="Ada",
        answered_at=END_OF_DAY,
    )  # fmt: skip
    assert "was not approved by Ada. Refused: a person did not" in explain(shop.engine, settings, ana, DATE)[0]


def test_another_night_or_customer_has_a_story_of_its_own(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", name="Spring")
    ana = shop.customer(treated("ana", "spring"))
    ben = shop.customer(treated("ben", "spring"), consents=())
    plan(shop, settings)
    assert explain(shop.engine, settings, ben, DATE) == [
        "Spring: No message: no consent. No channel can be used: email: no consent."
    ]
    assert explain(shop.engine, settings, ana, DATE - timedelta(days=1)) == []
    assert explain(shop.engine, settings, "nobody", DATE) == []

"""Why a customer got, or did not get, each message of a night: one query over the tables that the stages wrote."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scheduling_shop import DATE, END_OF_DAY, Shop, treated
from sqlalchemy import Engine

from include.db import tables
from include.reporting.formats import short_date
from include.reporting.ledger import Entry, explain, read_ledger
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


def decide(shop: Shop, *rows: dict[str, Any]) -> None:
    common = {"business_date": DATE, "customer_id": "ana", "arm": "treated", "decision": "scheduled", "reason": "Told."}
    shop.add(tables.message_decisions, *({**common, "policy_version": "1", **row} for row in rows))


def entries(shop: Shop, settings: Settings) -> list[Entry]:
    with shop.engine.connect() as connection:
        return read_ledger(connection, settings, "ana", DATE)


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


def test_a_late_approval_is_told_as_one(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", name="Spring", requires_approval=True)
    ana = shop.customer(treated("ana", "spring"))
    plan(shop, settings)
    previews = find_campaigns_to_approve(shop.engine, settings, business_date=DATE).previews
    [message] = shop.messages()
    sent_at = message["send_at"] + timedelta(hours=2)
    record_approval(
        shop.engine, settings, business_date=DATE, campaign_id="spring", preview=previews["spring"],
        status="approved", answered_by="Ada",
        answered_at=sent_at,
    )  # fmt: skip
    with shop.engine.begin() as connection:
        connection.execute(tables.messages.update().values(state="sent", sent_at=sent_at))
    [spring] = explain(shop.engine, settings, ana, DATE)
    assert "Approved when this hour was over. It left later than drawn, so its hour is not counted." in spring
    assert "No probability is known" not in spring


def test_only_what_competes_is_told_as_left_out(shop: Shop, settings: Settings) -> None:
    decided = {"spring": "scheduled", "summer": "not_worth_sending", "autumn": "over_budget"}
    decide(shop, *({"campaign_id": name, "decision": decision} for name, decision in decided.items()))
    told = {entry.campaign: (entry.chosen, entry.left_out) for entry in entries(shop, settings)}
    assert told == {
        "spring": (None, ["autumn"]),
        "summer": (["spring"], ["autumn"]),
        "autumn": (["spring"], None),
    }


def test_the_ledger_of_a_customer_of_many_years_is_read_at_once(shop: Shop, settings: Settings) -> None:
    nights = [DATE - timedelta(days=number) for number in range(60)]
    decide(shop, *({"campaign_id": f"c{n:02}", "business_date": day} for day in nights for n in range(70)))
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("set local statement_timeout = '1s'")
        latest = read_ledger(connection, settings, "ana")
    assert [entry.campaign for entry in latest] == [f"c{number:02}" for number in range(50)]
    assert {len(entry.chosen or ()) for entry in latest} == {69}, "those not shown as well"


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

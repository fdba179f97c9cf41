"""A night planned to be looked at: all of it shown, none of it kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
from scheduling_shop import DATE, SEND_DATE, Shop, treated
from sqlalchemy import Engine

from include.db.tables import EVERY_CAMPAIGN
from include.scheduling import (
    learn_responses,
    learn_send_times,
    preview_messages,
    preview_text,
    read_plan_previews,
    schedule_messages,
)
from include.settings import Settings

KEPT = ("message_decisions", "messages", "holdouts", "campaign_approvals")
CUSTOMERS = 25


@pytest.fixture
def shop(engine: Engine) -> Shop:
    shop = Shop(engine)
    shop.items()
    shop.campaign("spring", name="Spring", priority=2, channels=["email", "app_push"], cost_per_message=0.01)
    shop.campaign("summer", name="Summer \x1b[31m", priority=1, requires_approval=True)
    for number in range(CUSTOMERS):
        shop.customer(
            f"c{number}",
            push=f"token-{number}" if number % 2 else None,
            consents=("email", "app_push") if number % 3 else ("app_push",),
            time_zone="Europe/Berlin" if number % 4 else "America/New_York",
        )
    return shop


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(scheduling={"messages_per_day": 2})


def kept(shop: Shop) -> tuple[str, ...]:
    return tuple(map(shop.fingerprint, KEPT))


def test_nothing_of_the_plan_is_kept(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    before = kept(shop)
    summary = preview_messages(shop.engine, settings, business_date=DATE)
    assert summary.messages > 10
    assert kept(shop) == before
    assert shop.messages() == []


def test_it_shows_what_the_night_then_plans(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    summary = preview_messages(shop.engine, settings, business_date=DATE)
    everything, *campaigns = read_plan_previews(shop.engine, DATE)
    plan = schedule_messages(shop.engine, settings, business_date=DATE)
    messages, decisions = shop.messages(), shop.decisions()
    assert everything.campaign_id == EVERY_CAMPAIGN
    assert {campaign.campaign_id for campaign in campaigns} == {"spring", "summer"}
    assert summary.decisions == everything.decisions == plan.decisions
    assert summary.messages == everything.messages == len(messages)
    assert everything.cost == pytest.approx(float(sum(message["cost"] for message in messages)))
    worth = sum(row["expected_value"] for row in decisions.values() if row["decision"] == "scheduled")
    assert everything.expected_value == round(worth, 6)
    assert everything.by_channel == Counter(message["channel"] for message in messages)
    for campaign in campaigns:
        own = [message for message in messages if message["campaign_id"] == campaign.campaign_id]
        assert campaign.messages == len(own)
        assert campaign.awaiting_approval == (len(own) if campaign.campaign_id == "summer" else 0)
        assert campaign.send_date == SEND_DATE.isoformat()
        reasons = {row["reason"] for key, row in decisions.items() if key[0] == campaign.campaign_id}
        assert {example.reason for example in campaign.examples} <= reasons
        assert len(campaign.examples) == 3


def test_hours_are_the_customers_own(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    preview_messages(shop.engine, settings, business_date=DATE)
    everything = read_plan_previews(shop.engine, DATE)[0]
    hours = [int(hour) for of_channel in everything.hours.values() for hour in of_channel]
    assert min(hours) >= settings.scheduling.quiet_until.hour
    assert max(hours) < settings.scheduling.quiet_from.hour


def test_after_the_night_it_changes_nothing_and_counts_what_went(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("update marketing.messages set state = 'sent' where campaign_id = 'spring'")
    before = kept(shop)
    summary = preview_messages(shop.engine, settings, business_date=DATE)
    assert kept(shop) == before
    assert summary.messages == len(shop.messages())


def test_a_later_preview_takes_the_place_of_the_one_before(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    preview_messages(shop.engine, settings, business_date=DATE)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(f"update marketing.campaigns set ends_on = '{DATE}' where campaign_id = 'summer'")
    preview_messages(shop.engine, settings, business_date=DATE)
    assert [one.campaign_id for one in read_plan_previews(shop.engine, DATE)] == [EVERY_CAMPAIGN, "spring"]


def test_a_night_that_has_learned_nothing_is_refused_and_leaves_no_preview(shop: Shop, settings: Settings) -> None:
    with pytest.raises(ValueError, match="run learn_send_times for 2017-11-30 first"):
        preview_messages(shop.engine, settings, business_date=DATE)
    assert read_plan_previews(shop.engine, DATE) == []


def test_nobody_is_named_and_the_terminal_is_told_nothing_but_text(shop: Shop, settings: Settings) -> None:
    ids = {treated(f"someone{number}", "spring", "summer") for number in range(3)}
    for customer in ids:
        shop.customer(customer)
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    preview_messages(shop.engine, settings, business_date=DATE)
    previews = read_plan_previews(shop.engine, DATE)
    text = preview_text(previews, "EUR")
    shown = text + json.dumps([preview.as_json() for preview in previews])
    assert not any(customer in shown for customer in ids)
    assert "@example.com" not in shown
    assert "\x1b" not in text
    assert text.startswith("Plan for 2017-12-01: nothing of it is kept or sent")
    assert "by hour\n" in text
    assert "drawn with probability" in text


def test_without_a_campaign_it_says_so(engine: Engine, settings: Settings) -> None:
    shop = Shop(engine)
    shop.customer("a")
    learn_send_times(engine, settings, business_date=DATE)
    learn_responses(engine, settings, business_date=DATE)
    assert preview_messages(engine, settings, business_date=DATE).messages == 0
    assert "No campaign is in force" in preview_text(read_plan_previews(engine, DATE), "EUR")

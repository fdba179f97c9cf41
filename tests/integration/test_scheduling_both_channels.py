"""Both channels for one campaign, on a real Postgres: planned, told, previewed, approved, delivered, planned again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from delivery_world import arrivals, deliver, settings_for
from scheduling_shop import DATE, END_OF_DAY, Shop, treated
from sqlalchemy import Engine, text

from include.closed_loop import sending
from include.db.sql import statement
from include.demo.sinks import running_sinks
from include.reporting.formats import short_date
from include.reporting.ledger import explain
from include.scheduling import (
    find_campaigns_to_approve,
    learn_responses,
    learn_send_times,
    plan,
    preview_messages,
    read_plan_previews,
    read_question,
    record_approval,
    schedule_messages,
)
from include.scheduling.ledger import MESSAGE_NAMESPACE
from include.scheduling.policy_log import read_parts, stage_log
from include.settings import Settings

NEW_YORK = ZoneInfo("America/New_York")
DRAWN = {"random_hour_share": 0.0, "content_exploration": 0}
MORNING = END_OF_DAY + timedelta(hours=4)
"""Before any hour outside quiet hours."""


@pytest.fixture
def shop(engine: Engine) -> Shop:
    shop = Shop(engine)
    shop.items()
    return shop


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(scheduling={"messages_per_day": 2, **DRAWN})


@pytest.fixture
def ana(shop: Shop) -> str:
    """Reached on both channels, by a campaign whose messages cost nothing."""
    shop.campaign("spring", name="Spring", channels=["email", "app_push"], template="default")
    return customer(shop, "ana")


def customer(shop: Shop, prefix: str) -> str:
    return shop.customer(treated(prefix, "spring"), push=f"token-{prefix}", consents=("email", "app_push"))


def run(shop: Shop, settings: Settings) -> Any:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    return schedule_messages(shop.engine, settings, business_date=DATE)


def change(shop: Shop, statement: str, **bound: Any) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text(statement), bound)


def both(shop: Shop, customer_id: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The decision, its first message and its second."""
    decision = shop.decisions()[("spring", customer_id)]
    of_channel = {row["channel"]: row for row in shop.messages() if row["customer_id"] == customer_id}
    return decision, of_channel[decision["channel"]], of_channel[decision["second_channel"]]


def fingerprints(shop: Shop) -> tuple[str, str]:
    return shop.fingerprint("message_decisions"), shop.fingerprint("messages")


def test_both_are_planned_and_logged(shop: Shop, settings: Settings, ana: str) -> None:
    summary = run(shop, settings)
    assert (summary.decisions, summary.messages_planned) == ({"scheduled": 1}, 2)
    decision, first, second = both(shop, ana)
    assert {first["channel"], second["channel"]} == {"email", "app_push"}
    assert (first["send_at"], second["send_at"]) == (decision["send_at"], decision["second_send_at"])
    for message in (first, second):
        name = f'["spring", "{ana}", "{message["channel"]}", "2017-12-01"]'
        assert message["message_id"] == str(uuid.uuid5(MESSAGE_NAMESPACE, name))
        assert len(message["content"]["items"]) == 4
    logged = decision["second_slot_probabilities"]
    assert list(logged) == [second["channel"]]
    hour = f"{decision['second_send_at'].astimezone(NEW_YORK):%H}"
    assert decision["second_propensity"] == logged[second["channel"]][hour]
    assert sum(logged[second["channel"]].values()) == pytest.approx(1)
    told = decision["second_value_terms"]
    assert told["unclicked"] == pytest.approx(1 - decision["value_terms"]["rate"])
    earned = told["unclicked"] * told["rate"] * told["orders_per_click"] * told["margin"]
    assert decision["second_expected_value"] == pytest.approx(earned - told["cost"] - told["fatigue"])
    places = [
        f"{message['channel']} at {message['send_at'].astimezone(NEW_YORK):%H:%M} America/New_York"
        for message in (first, second)
    ]
    assert decision["reason"] == (
        f"{places[0]}, drawn with probability {decision['propensity']:.3f} from 26 feasible hours of 2 channels; "
        f"and {places[1]}, drawn with probability {decision['second_propensity']:.3f} from 13 feasible hours."
    )


def test_where_one_message_a_day_is_allowed_there_is_no_second(
    shop: Shop, make_settings: Callable[..., Settings], ana: str
) -> None:
    assert run(shop, make_settings(scheduling=DRAWN)).messages_planned == 1
    [decision] = shop.decisions().values()
    assert {decision[name] for name in decision if name.startswith("second_")} == {None}


def test_the_sentences_tell_of_both(shop: Shop, settings: Settings, ana: str) -> None:
    run(shop, settings)
    _, first, second = both(shop, ana)
    sent_at = second["send_at"] + timedelta(minutes=4)
    one = "update marketing.messages set state = 'sent', sent_at = :at where message_id = :id"
    change(shop, one, at=sent_at, id=second["message_id"])
    shop.click("k1", at=sent_at + timedelta(minutes=30), message_id=second["message_id"])
    [story] = explain(shop.engine, settings, ana, DATE)
    words = {"email": "email", "app_push": "app push"}
    assert story.startswith(
        f"Spring: The message by {words[first['channel']]}, planned for {local(first['send_at'])}, is still to be sent."
    )
    assert (
        f"A second message by {words[second['channel']]}, planned for {local(second['send_at'])}, "
        f"went out on {local(sent_at)}." in story
    )
    assert story.endswith(f"Since then: clicked {local(sent_at + timedelta(minutes=30))}.")
    assert story.count("clicked") == 1


def local(instant: datetime) -> str:
    at = instant.astimezone(NEW_YORK)
    return f"{short_date(at.date())} {at:%H:%M}"


def test_delivery_sends_both_once_each_and_a_rerun_keeps_them(
    shop: Shop, make_settings: Callable[..., Settings], settings: Settings, ana: str, tmp_path: Path
) -> None:
    run(shop, settings)
    _, *messages = both(shop, ana)
    messages.sort(key=lambda message: message["send_at"])
    with running_sinks(tmp_path / "sinks") as sinks:
        delivering = settings_for(make_settings, sinks)
        for message in messages:
            for _ in range(2):
                deliver(shop.engine, delivering, as_of=message["send_at"])
            before = fingerprints(shop)
            summary = run(shop, settings)
            assert fingerprints(shop) == before
            assert (summary.messages_planned, summary.messages_kept) == (0, 2), "what one of them keeps, keeps both"
            assert summary.decisions == {"scheduled": 1}
        assert arrivals(sinks) == sorted(message["message_id"] for message in messages)
    assert {message["state"] for message in shop.messages()} == {"sent"}


def test_on_changed_data_both_stay_where_one_was_taken_up(
    shop: Shop, make_settings: Callable[..., Settings], settings: Settings, ana: str
) -> None:
    run(shop, settings)
    before = both(shop, ana)
    change(shop, "update marketing.messages set state = 'sending' where message_id = :id", id=before[2]["message_id"])
    shop.consent(ana, before[1]["channel"], granted=False, at=END_OF_DAY - timedelta(hours=1))
    shop.campaign("summer", priority=9, control_share=0.0)
    ben = customer(shop, "ben")
    run(shop, make_settings(scheduling={"messages_per_day": 2, **DRAWN, "seed": 5}))
    decision, first, second = both(shop, ana)
    assert (decision, first, second["send_at"]) == (before[0], before[1], before[2]["send_at"])
    assert shop.decisions()[("summer", ana)]["decision"] != "scheduled"
    assert [message["customer_id"] for message in shop.messages()].count(ben) == 2


def test_a_message_taken_up_just_before_the_plan_locks_it_keeps_the_other(
    shop: Shop, settings: Settings, ana: str
) -> None:
    run(shop, settings)
    _, first, _ = both(shop, ana)
    ben = customer(shop, "ben")
    run(shop, settings)
    with shop.engine.begin() as connection:
        connection.execute(statement(plan.__file__, "create_replaced_messages"), {"business_date": DATE})
        change(shop, "update marketing.messages set state = 'sending' where message_id = :id", id=first["message_id"])
        connection.execute(statement(plan.__file__, "lock_replaced_messages"))
        replaced = connection.execute(text("select customer_id from pg_temp.replaced_messages")).scalars().all()
    assert replaced == [ben, ben]


def test_a_preview_counts_both_and_is_what_the_night_plans(shop: Shop, settings: Settings, ana: str) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    change(shop, "update marketing.campaigns set cost_per_message = 0.00001")
    preview_messages(shop.engine, settings, business_date=DATE)
    _, spring = read_plan_previews(shop.engine, DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)
    decision, first, second = both(shop, ana)
    assert (spring.decisions, spring.messages, spring.cost) == ({"scheduled": 1}, 2, pytest.approx(0.00002, abs=1e-4))
    assert spring.by_channel == {"email": 1, "app_push": 1}
    worth = decision["expected_value"], decision["second_expected_value"]
    assert worth[0] > worth[1]
    assert spring.expected_value == pytest.approx(sum(worth), abs=1e-6)
    assert spring.explored == decision["explored"] + decision["second_explored"]
    assert [example.channel for example in spring.examples] == [first["channel"], second["channel"]]
    assert [example.expected_value for example in spring.examples] == pytest.approx(worth)


# --- approval --------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(shop: Shop, settings: Settings, ana: str) -> str:
    """The key of the question about the campaign."""
    change(shop, "update marketing.campaigns set requires_approval = true")
    run(shop, settings)
    return find_campaigns_to_approve(shop.engine, settings, business_date=DATE).previews["spring"]


def answer(shop: Shop, settings: Settings, asked: str, status: str, at: datetime = MORNING) -> tuple[int, int]:
    """Messages released and cancelled."""
    done = record_approval(
        shop.engine,
        settings,
        business_date=DATE,
        campaign_id="spring",
        preview=asked,
        status=status,
        answered_by="Ada",
        answered_at=at,
    )
    return done.messages_released, done.messages_cancelled


def test_both_wait_for_one_answer(shop: Shop, settings: Settings, ana: str, asked: str) -> None:
    question = read_question(shop.engine, settings, business_date=DATE, campaign_id="spring", preview=asked)
    assert question.subject == "Send 2 messages of “Spring” on Fri 1 Dec 2017?"
    assert "| People | 1, a message each, 1 of them one on each channel |" in question.body
    decision = shop.decisions()[("spring", ana)]
    assert answer(shop, settings, asked, "approved") == (2, 0)
    assert shop.decisions()[("spring", ana)] == decision
    before = fingerprints(shop)
    assert run(shop, settings).messages_planned == 2
    assert fingerprints(shop) == before


def test_refused_neither_goes_and_there_is_one_decision(shop: Shop, settings: Settings, ana: str, asked: str) -> None:
    assert answer(shop, settings, asked, "refused") == (0, 2)
    decision, first, second = both(shop, ana)
    assert (decision["decision"], first["state"], second["state"]) == ("not_approved", "cancelled", "cancelled")
    assert (decision["propensity"], decision["second_propensity"]) == (None, None)
    assert explain(shop.engine, settings, ana, DATE)[0].count("was not approved by Ada.") == 2
    before = fingerprints(shop)
    summary = run(shop, settings)
    assert fingerprints(shop) == before
    assert (summary.decisions, summary.messages_planned) == ({"not_approved": 1}, 0)


def test_only_the_message_whose_hour_was_over_loses_its_probability(
    shop: Shop, settings: Settings, ana: str, asked: str
) -> None:
    before, first, second = both(shop, ana)
    assert abs(first["send_at"] - second["send_at"]) > timedelta(hours=1)
    early = min((first, second), key=lambda message: message["send_at"])
    assert answer(shop, settings, asked, "approved", at=early["send_at"] + timedelta(hours=1)) == (2, 0)
    after = shop.decisions()[("spring", ana)]
    late, other = ("", "second_") if early is first else ("second_", "")
    assert (after[f"{late}propensity"], after[f"{late}explored"]) == (None, None)
    assert after[f"{other}propensity"] == before[f"{other}propensity"]
    assert after["policy"] == (None if early is first else "chosen")
    assert after["reason"].endswith(f" Approved when the hour of {early['channel']} was over.")


def test_a_refusal_after_one_has_left_stops_the_other_alone(
    shop: Shop, settings: Settings, ana: str, asked: str
) -> None:
    answer(shop, settings, asked, "approved")
    _, first, second = both(shop, ana)
    change(shop, "update marketing.messages set state = 'sent' where message_id = :id", id=first["message_id"])
    change(shop, "update marketing.campaign_approvals set status = 'waiting', is_current = true")
    assert answer(shop, settings, asked, "refused") == (0, 1)
    decision, first, second = both(shop, ana)
    assert (decision["decision"], first["state"], second["state"]) == ("scheduled", "sent", "cancelled")
    assert decision["propensity"] is not None
    assert decision["second_propensity"] is None
    refused = "Refused: a person did not approve the campaign's messages of this night."
    assert decision["reason"].endswith(f" Not sent by {second['channel']}. {refused}")
    [story] = explain(shop.engine, settings, ana, DATE)
    assert story.endswith(f"planned for {local(second['send_at'])}, was cancelled before it left: {refused}"), (
        "nor is it said that its hour was not left to the draw"
    )
    before = fingerprints(shop)
    assert run(shop, settings).decisions == {"scheduled": 1}
    assert fingerprints(shop) == before


# --- what later nights see -------------------------------------------------------------------------------------------


def deliver_both(shop: Shop) -> None:
    change(shop, "update marketing.messages set state = 'sent', sent_at = send_at + interval '1 minute'")


def test_both_count_against_the_caps_of_later_nights(
    shop: Shop, make_settings: Callable[..., Settings], ana: str
) -> None:
    for most, decided in ((3, "scheduled"), (2, "capped")):
        settings = make_settings(scheduling={"messages_per_day": 2, "messages_per_week": most, **DRAWN})
        if most == 3:
            run(shop, settings)
            assert len(shop.messages()) == 2
            deliver_both(shop)
            shop.features(ana, business_date=DATE + timedelta(days=1))
            shop.recommend(ana, business_date=DATE + timedelta(days=1))
        tomorrow = DATE + timedelta(days=1)
        learn_send_times(shop.engine, settings, business_date=tomorrow)
        learn_responses(shop.engine, settings, business_date=tomorrow)
        schedule_messages(shop.engine, settings, business_date=tomorrow)
        assert shop.decisions(tomorrow)[("spring", ana)]["decision"] == decided
        assert len(shop.messages(tomorrow)) == (1 if decided == "scheduled" else 0), "a third, but no fourth"


def test_the_worth_of_the_choice_is_that_of_first_messages(shop: Shop, settings: Settings, ana: str) -> None:
    run(shop, settings)
    decision, first, second = both(shop, ana)
    deliver_both(shop)
    shop.click("k1", at=second["send_at"] + timedelta(hours=1), message_id=second["message_id"])
    with shop.engine.begin() as connection:
        log = stage_log(connection, settings, DATE + timedelta(days=5))
        known = connection.execute(text("select channel, policy_version from valued_sends")).all()
        [part] = read_parts(connection, log)
    assert dict(known) == {first["channel"]: decision["policy_version"], second["channel"]: None}
    assert part.sends.propensity.tolist() == [decision["propensity"]]
    assert part.sends.reward.tolist() == [0]
    bound = {"business_date": DATE, "window_days": 90, "end_of_day": END_OF_DAY + timedelta(days=5), "chosen": "chosen"}
    with shop.engine.connect() as connection:
        chosen = connection.execute(statement(sending.__file__, "chosen_sends"), bound).scalars().all()
    assert chosen == [first["message_id"]], "as the truth that it is held against"

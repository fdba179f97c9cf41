"""A campaign that requires approval: planned, asked about, answered; and none of it sent before or without it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from scheduling_shop import DATE, END_OF_DAY, SEND_DATE, Shop, treated
from sqlalchemy import Engine

from include.delivery import deliver_due_messages
from include.scheduling import (
    ApprovalSummary,
    Question,
    QuestionOutdated,
    find_campaigns_to_approve,
    learn_responses,
    learn_send_times,
    read_question,
    record_approval,
    schedule_messages,
)
from include.settings import Settings

MORNING = END_OF_DAY + timedelta(hours=4)
"""Nine in the morning in New York, before any hour outside quiet hours has passed there."""
HOSTILE = "Spring {{ 7 * 7 }} | <b>![x](http://elsewhere/x.png)</b>"
CUSTOMERS = 12


@pytest.fixture
def shop(engine: Engine) -> Shop:
    """Twelve customers, all reachable, and two campaigns: spring, which requires approval, and then summer."""
    shop = Shop(engine)
    shop.items()
    shop.campaign("spring", name=HOSTILE, requires_approval=True, priority=2, cost_per_message=0.01)
    shop.campaign("summer", priority=1)
    for number in range(CUSTOMERS):
        shop.customer(treated(f"c{number}", "spring", "summer"))
    return shop


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(scheduling={"messages_per_day": 2})


def plan(shop: Shop, settings: Settings) -> Any:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    return schedule_messages(shop.engine, settings, business_date=DATE)


def ask(shop: Shop, settings: Settings) -> dict[str, str]:
    """The key of each waiting campaign's preview."""
    return find_campaigns_to_approve(shop.engine, settings, business_date=DATE).previews


def question(shop: Shop, settings: Settings) -> Question:
    [(campaign_id, preview)] = ask(shop, settings).items()
    return read_question(shop.engine, settings, business_date=DATE, campaign_id=campaign_id, preview=preview)


def answer(
    shop: Shop,
    settings: Settings,
    status: str = "approved",
    at: datetime = MORNING,
    by: str | None = "Ada",
    preview: str | None = None,
) -> ApprovalSummary:
    """preview: the key of what the person saw; else of the plan as it is."""
    return record_approval(
        shop.engine,
        settings,
        business_date=DATE,
        campaign_id="spring",
        preview=preview
        or shop.rows("select preview_key from marketing.campaign_approvals where is_current")[0]["preview_key"],
        status=status,
        answered_by=by,
        answered_at=at,
    )


def states(shop: Shop, campaign_id: str = "spring") -> Counter[str]:
    return Counter(message["state"] for message in shop.messages() if message["campaign_id"] == campaign_id)


def decisions(shop: Shop, campaign_id: str = "spring") -> Counter[str]:
    return Counter(row["decision"] for (campaign, _), row in shop.decisions().items() if campaign == campaign_id)


def everything(shop: Shop) -> tuple[str, ...]:
    return tuple(map(shop.fingerprint, ("message_decisions", "messages", "campaign_approvals")))


def test_its_messages_are_planned_like_all_others_and_wait(shop: Shop, settings: Settings) -> None:
    summary = plan(shop, settings)
    assert states(shop) == {"awaiting_approval": CUSTOMERS}
    assert states(shop, "summer") == {"planned": CUSTOMERS}
    assert summary.messages_planned == 2 * CUSTOMERS
    assert summary.messages_awaiting_approval == CUSTOMERS
    assert decisions(shop) == {"scheduled": CUSTOMERS}


def test_a_night_without_such_campaigns_asks_nobody(shop: Shop, settings: Settings) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("update marketing.campaigns set requires_approval = false")
    plan(shop, settings)
    assert ask(shop, settings) == {}
    assert shop.rows("select * from marketing.campaign_approvals") == []


def test_the_question_says_what_would_go_and_to_nobody_by_name(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    assert set(ask(shop, settings)) == {"spring"}
    [row] = shop.rows("select * from marketing.campaign_approvals")
    assert (row["status"], row["answered_at"], row["answered_by"]) == ("waiting", None, None)
    assert row["preview"]["messages"] == CUSTOMERS
    assert row["preview"]["cost"] == pytest.approx(0.01 * CUSTOMERS)
    assert sum(row["preview"]["hours"]["email"].values()) == CUSTOMERS
    worth = [example["expected_value"] for example in row["preview"]["examples"]]
    assert len(worth) == 3
    assert worth == sorted(worth, reverse=True)

    asked = question(shop, settings)
    assert asked.hours == settings.scheduling.approval_hours
    assert asked.subject.startswith(f"Send {CUSTOMERS} messages of “Spring")
    assert asked.subject.endswith("on Fri 1 Dec 2017?")
    assert "| Cost | 0.12 USD |" in asked.body
    assert "item\\-1; item\\-2" in asked.body, "titles, or ids where there is none"
    shown = asked.body + json.dumps(row["preview"])
    assert not any(customer in shown for _, customer in shop.decisions())
    assert "@example.com" not in shown


def test_what_names_and_titles_hold_is_shown_and_never_followed(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    body = question(shop, settings).body
    assert "\\!\\[x\\]\\(http\\:" in body
    assert "\\<b\\>" in body
    assert "\\{\\{ 7 \\* 7 \\}\\}" in body


def test_approved_its_messages_are_planned_and_nothing_else_changes(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    before = shop.decisions()
    ask(shop, settings)
    summary = answer(shop, settings)
    assert (summary.status, summary.messages_released, summary.messages_cancelled) == ("approved", CUSTOMERS, 0)
    assert states(shop) == {"planned": CUSTOMERS}
    assert shop.decisions() == before
    [row] = shop.rows("select * from marketing.campaign_approvals")
    assert (row["status"], row["answered_at"], row["answered_by"]) == ("approved", MORNING, "Ada")


@pytest.mark.parametrize(
    ("status", "by", "says"), [("refused", "Ada", "Refused: a person"), ("timed_out", None, "nobody answered")]
)
def test_refused_or_unanswered_its_messages_are_cancelled_with_a_reason(
    shop: Shop, settings: Settings, status: str, by: str | None, says: str
) -> None:
    plan(shop, settings)
    others = {key: row for key, row in shop.decisions().items() if key[0] == "summer"}
    ask(shop, settings)
    summary = answer(shop, settings, status, by=by)
    assert (summary.messages_released, summary.messages_cancelled) == (0, CUSTOMERS)
    assert states(shop) == {"cancelled": CUSTOMERS}
    assert states(shop, "summer") == {"planned": CUSTOMERS}
    of_spring = [row for (campaign, _), row in shop.decisions().items() if campaign == "spring"]
    assert {row["decision"] for row in of_spring} == {"not_approved"}
    assert all(says in row["reason"] for row in of_spring)
    assert {row["propensity"] for row in of_spring} == {None}, "what never went has no part in off-policy evaluation"
    assert {key: row for key, row in shop.decisions().items() if key[0] == "summer"} == others


@pytest.mark.parametrize("status", ["approved", "refused", "timed_out"])
def test_an_answer_holds_for_a_night_planned_again(shop: Shop, settings: Settings, status: str) -> None:
    plan(shop, settings)
    ask(shop, settings)
    answer(shop, settings, status, at=END_OF_DAY + timedelta(hours=12))
    first = everything(shop)
    summary = plan(shop, settings)
    assert ask(shop, settings) == {}
    assert everything(shop) == first
    assert summary.messages_awaiting_approval == 0
    assert summary.decisions == dict(Counter(row["decision"] for row in shop.decisions().values()))
    assert summary.messages_planned == sum(message["state"] == "planned" for message in shop.messages())
    answer(shop, settings, status)
    assert everything(shop) == first, "the same answer again"


def test_the_first_answer_holds_against_a_later_one(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    ask(shop, settings)
    answer(shop, settings, "refused")
    first = everything(shop)
    assert answer(shop, settings, "approved").status == "refused"
    assert everything(shop) == first


def test_a_message_approved_when_its_hour_is_over_goes_without_a_probability(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    ask(shop, settings)
    answered_at = END_OF_DAY + timedelta(hours=12)
    answer(shop, settings, at=answered_at)
    assert states(shop) == {"planned": CUSTOMERS}
    late = {
        row["customer_id"]: answered_at >= row["send_at"] + timedelta(hours=1)
        for (campaign, _), row in shop.decisions().items()
        if campaign == "spring"
    }
    assert 0 < sum(late.values()) < CUSTOMERS, "the test needs both"
    for (campaign, customer), row in shop.decisions().items():
        is_late = campaign == "spring" and late[customer]
        assert (row["propensity"] is None) == is_late
        assert ("when this hour was over" in row["reason"]) == is_late


def test_delivery_never_takes_what_awaits_approval_and_lets_it_expire(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    shown = ask(shop, settings)["spring"]
    last = max(message["not_after"] for message in shop.messages())
    for hour in range(7, 36):
        as_of = END_OF_DAY + timedelta(hours=hour)
        deliver_due_messages(shop.engine, settings, as_of=as_of, since=None, worker="test")
        open_yet = [row for row in shop.messages() if row["campaign_id"] == "spring" and row["not_after"] > as_of]
        assert all(row["state"] == "awaiting_approval" for row in open_yet)
        assert states(shop)["expired"] == CUSTOMERS - len(open_yet)
    assert as_of > last
    assert states(shop) == {"expired": CUSTOMERS}
    assert {row["error"] for row in shop.messages() if row["campaign_id"] == "spring"} == {
        "not approved before its last permitted instant"
    }
    # Too late an answer brings nothing back.
    assert answer(shop, settings, at=as_of, preview=shown).messages_released == 0
    assert states(shop) == {"expired": CUSTOMERS}


def change(shop: Shop, statement: str) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def widen(shop: Shop) -> None:
    """A plan of other cost."""
    change(shop, "update marketing.campaigns set cost_per_message = 5 where campaign_id = 'spring'")


def narrow(shop: Shop) -> None:
    """The first plan again."""
    change(shop, "update marketing.campaigns set cost_per_message = 0.01 where campaign_id = 'spring'")


def test_a_plan_without_messages_asks_nothing(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    assert set(ask(shop, settings)) == {"spring"}
    change(shop, f"update marketing.campaigns set ends_on = '{SEND_DATE - timedelta(days=1)}'")
    plan(shop, settings)
    assert ask(shop, settings) == {}
    with pytest.raises(ValueError, match="nobody was asked about plan never of campaign spring of 2017-11-30"):
        answer(shop, settings, preview="never")


def test_an_approval_does_not_cover_a_plan_that_nobody_saw(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    first = ask(shop, settings)["spring"]
    answer(shop, settings)
    before = everything(shop)
    widen(shop)
    summary = plan(shop, settings)
    assert summary.messages_awaiting_approval == CUSTOMERS
    assert states(shop) == {"awaiting_approval": CUSTOMERS}
    assert set(ask(shop, settings)) == {"spring"}
    assert ask(shop, settings)["spring"] != first
    narrow(shop)
    plan(shop, settings)
    assert ask(shop, settings) == {}, "a plan that comes back finds its answer"
    assert states(shop) == {"planned": CUSTOMERS}
    assert everything(shop)[:2] == before[:2]


def test_an_answer_to_a_plan_that_was_superseded_is_kept_for_its_return(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    first = ask(shop, settings)["spring"]
    widen(shop)
    plan(shop, settings)
    second = ask(shop, settings)["spring"]
    asked = read_question(shop.engine, settings, business_date=DATE, campaign_id="spring", preview=first)
    assert "| Cost | 0.12 USD |" in asked.body, "the one asked late is asked still: it may come back"
    summary = answer(shop, settings, preview=first)
    assert (summary.status, summary.messages_released, summary.messages_cancelled) == ("approved", 0, 0)
    assert states(shop) == {"awaiting_approval": CUSTOMERS}
    assert ask(shop, settings) == {"spring": second}
    narrow(shop)
    plan(shop, settings)
    assert states(shop) == {"planned": CUSTOMERS}
    widen(shop)
    plan(shop, settings)
    assert ask(shop, settings) == {"spring": second}, "still open"
    assert answer(shop, settings).messages_released == CUSTOMERS


@pytest.mark.parametrize("status", ["refused", "timed_out"])
def test_no_holds_for_the_night_however_it_is_planned(shop: Shop, settings: Settings, status: str) -> None:
    plan(shop, settings)
    ask(shop, settings)
    answer(shop, settings, status)
    widen(shop)
    plan(shop, settings)
    assert ask(shop, settings) == {}
    assert states(shop) == {"cancelled": CUSTOMERS}
    assert decisions(shop) == {"not_approved": CUSTOMERS}


def test_refusing_a_superseded_plan_stops_the_present_one_and_its_timeout_does_not(
    shop: Shop, settings: Settings
) -> None:
    plan(shop, settings)
    first = ask(shop, settings)["spring"]
    widen(shop)
    plan(shop, settings)
    second = ask(shop, settings)["spring"]
    change(shop, "update marketing.campaigns set cost_per_message = 2 where campaign_id = 'spring'")
    plan(shop, settings)
    assert answer(shop, settings, "timed_out", by=None, preview=first).messages_cancelled == 0
    assert answer(shop, settings).messages_released == CUSTOMERS
    assert answer(shop, settings, "refused", preview=second).messages_cancelled == CUSTOMERS
    assert states(shop) == {"cancelled": CUSTOMERS}
    plan(shop, settings)
    assert states(shop) == {"cancelled": CUSTOMERS}
    with pytest.raises(QuestionOutdated):
        read_question(shop.engine, settings, business_date=DATE, campaign_id="spring", preview=second)


def test_an_approval_holds_for_the_same_plan_when_some_of_it_has_left(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    ask(shop, settings)
    answer(shop, settings, at=END_OF_DAY + timedelta(hours=12))
    some = "message_id in (select message_id from marketing.messages where campaign_id = 'spring' limit {})"
    for taken_up in (5, CUSTOMERS):
        change(shop, f"update marketing.messages set state = 'sent' where {some.format(taken_up)}")
        first = everything(shop)
        plan(shop, settings)
        assert ask(shop, settings) == {}
        assert everything(shop) == first


def test_what_awaits_approval_keeps_its_place_in_the_caps(shop: Shop, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(scheduling={"messages_per_day": 1})
    plan(shop, settings)
    ask(shop, settings)
    assert decisions(shop, "summer") == {"capped": CUSTOMERS}
    answer(shop, settings, "refused")
    plan(shop, settings)
    assert decisions(shop, "summer") == {"capped": CUSTOMERS}, "a refusal plans nobody anew"


def test_only_an_answer_is_recorded(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    ask(shop, settings)
    with pytest.raises(ValueError, match="'waiting' is no answer; choose from: approved, refused, timed_out"):
        answer(shop, settings, "waiting")
    with pytest.raises(QuestionOutdated):
        read_question(shop.engine, settings, business_date=DATE, campaign_id="spring", preview="another")


def test_the_same_plan_is_the_same_question(shop: Shop, settings: Settings) -> None:
    plan(shop, settings)
    shown = ask(shop, settings)
    plan(shop, settings)
    assert ask(shop, settings) == shown
    assert answer(shop, settings, preview=shown["spring"]).messages_released == CUSTOMERS

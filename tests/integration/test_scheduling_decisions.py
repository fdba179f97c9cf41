"""``schedule_messages`` on a real Postgres: one crafted customer for each reason, the message's content, the hours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from scheduling_shop import DATE, END_OF_DAY, LANDED, SEND_DATE, Shop, treated
from sqlalchemy import Engine

from include.db import tables
from include.scheduling import learn_responses, learn_send_times, schedule_messages
from include.scheduling.assignment import control_salt, hash_share
from include.settings import SchedulingSettings, Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def shop(engine: Engine) -> Shop:
    return Shop(engine)


def run(shop: Shop, settings: Settings) -> dict[tuple[str, str], dict]:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)
    return shop.decisions()


def decided(shop: Shop, settings: Settings, customer_id: str, campaign_id: str = "spring") -> tuple[str, str]:
    row = run(shop, settings)[(campaign_id, customer_id)]
    return row["decision"], row["reason"]


def test_scheduled(shop: Shop, make_settings: MakeSettings) -> None:
    shop.items(price=10, margin_rate=0.5)
    shop.campaign("spring", cost_per_message=0.001)
    customer = shop.customer(treated("a", "spring"))
    row = run(shop, make_settings(scheduling={"random_hour_share": 0.0, "content_exploration": 0}))[
        ("spring", customer)
    ]
    assert (row["decision"], row["arm"], row["channel"]) == ("scheduled", "treated", "email")
    assert (row["policy"], row["is_ghost"]) == ("chosen", None)
    local = row["send_at"].astimezone(ZoneInfo("America/New_York"))
    assert local.date() == SEND_DATE
    assert list(row["slot_probabilities"]) == ["email"]
    logged = row["slot_probabilities"]["email"]
    assert list(logged) == [f"{hour:02d}" for hour in range(8, 21)]
    assert sum(logged.values()) == pytest.approx(1)
    assert min(logged.values()) >= 0.05 / 13 - 1e-6
    assert row["propensity"] == logged[f"{local.hour:02d}"]
    profile = shop.rows(
        "select hour, rate_mean from marketing.send_time_profiles where channel = 'email' and day_type = 'weekday' "
        "and hour between 8 and 20"
    )
    rates = {row["hour"]: row["rate_mean"] for row in profile}
    assert row["expected_value"] == pytest.approx(rates[local.hour] * 0.03 * 5 - 0.001)
    terms = {"orders_per_click": 0.03, "margin": 5, "cost": 0.001, "fatigue": 0, "price": 0}
    assert row["value_terms"] == {"rate": pytest.approx(rates[local.hour])} | terms
    assert row["explored"] == (local.hour != max(rates, key=rates.__getitem__))
    [message] = shop.messages()
    assert message["send_at"] == row["send_at"]
    assert message["not_after"] == min(
        row["send_at"] + timedelta(hours=6), datetime.combine(SEND_DATE, time(21), ZoneInfo("America/New_York"))
    )
    assert (message["state"], message["send_date"], float(message["cost"])) == ("planned", SEND_DATE, 0.001)
    assert message["content"] == {
        "template": "standard",
        "items": [
            {
                "item_id": f"item-{rank}",
                "strategy": "als",
                "reason_item_id": "bought" if rank == 1 else None,
                "propensity": 1,
            }
            for rank in range(1, 5)
        ],
    }
    assert row["reason"] == (
        f"email at {local:%H:%M} America/New_York, drawn with probability {row['propensity']:.3f} "
        "from 13 feasible hours."
    )


def test_not_worth_sending_where_no_hour_earns_what_a_message_costs(shop: Shop, settings: Settings) -> None:
    shop.items(price=10, margin_rate=0.5)
    shop.campaign("spring", cost_per_message=0.01)
    customer = shop.customer(treated("a", "spring"))
    assert decided(shop, settings, customer)[0] == "scheduled", "what a click brings is only assumed yet"
    for number in range(200):
        sent = END_OF_DAY - timedelta(days=10, minutes=number)
        shop.message(f"other-{number}", send_at=sent, message_id=f"m{number}")
        shop.click(f"k{number}", at=sent + timedelta(hours=1), message_id=f"m{number}")
    for number in range(40):
        sent = END_OF_DAY - timedelta(days=11, minutes=number)
        shop.message(f"more-{number}", send_at=sent, message_id=f"n{number}")
        shop.click(f"n{number}", at=sent + timedelta(hours=1), message_id=f"n{number}")
    assert decided(shop, settings, customer)[0] == "not_worth_sending", "240 clicks brought no order"
    assert shop.messages() == []


def test_not_in_audience_comes_before_the_arm_yet_the_arm_is_kept(shop: Shop, make_settings: MakeSettings) -> None:
    shop.campaign("spring", audience=["loyal", "new"])
    shop.customer("a", segment="lapsed")
    row = run(shop, make_settings(scheduling={"holdout_share": 1.0}))[("spring", "a")]
    assert (row["decision"], row["arm"]) == ("not_in_audience", "holdout")
    assert "loyal, new" in row["reason"]


def test_held_out_comes_before_control(shop: Shop, make_settings: MakeSettings) -> None:
    shop.campaign("spring", control_share=1.0)
    shop.customer("a", consents=())
    row = run(shop, make_settings(scheduling={"holdout_share": 1.0}))[("spring", "a")]
    assert (row["decision"], row["arm"]) == ("held_out", "holdout")


def test_control_comes_before_eligibility(shop: Shop, make_settings: MakeSettings) -> None:
    shop.campaign("spring", control_share=1.0)
    shop.campaign("summer", control_share=0.0)
    shop.customer("a", consents=())
    rows = run(shop, make_settings(scheduling={"holdout_share": 0.0}))
    assert (rows[("spring", "a")]["decision"], rows[("spring", "a")]["arm"]) == ("control", "control")
    assert (rows[("summer", "a")]["decision"], rows[("summer", "a")]["arm"]) == ("no_consent", "treated")


def test_no_consent_unless_the_latest_before_the_end_of_the_day_grants_it(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring")
    a = shop.customer(treated("a", "spring"), consents=())
    assert decided(shop, settings, a)[0] == "no_consent"
    shop.consent(a, "app_push", granted=True, at=END_OF_DAY - timedelta(days=3))
    assert decided(shop, settings, a)[0] == "no_consent"
    shop.consent(a, "email", granted=True, at=END_OF_DAY - timedelta(days=2))
    assert decided(shop, settings, a)[0] == "scheduled"
    shop.consent(a, "email", granted=False, at=END_OF_DAY)
    assert decided(shop, settings, a)[0] == "scheduled", "withdrawn after the business date"
    shop.consent(a, "email", granted=False, at=END_OF_DAY - timedelta(seconds=1))
    assert decided(shop, settings, a)[0] == "no_consent"


@pytest.mark.parametrize("channel", ["email", "app_push"])
@pytest.mark.parametrize("address", [None, " ", " \t "])
def test_no_address(shop: Shop, settings: Settings, channel: str, address: str | None) -> None:
    shop.campaign("spring", channels=[channel])
    a = shop.customer(treated("a", "spring"), email=address, push=address, consents=[channel])
    assert decided(shop, settings, a)[0] == "no_address"


def test_a_customer_known_from_events_alone_has_no_consent(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring")
    a = treated("a", "spring")
    shop.features(a, business_date=DATE)
    assert decided(shop, settings, a)[0] == "no_consent"


def test_suppressed_by_the_hash_of_the_normalised_address(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", channels=["email", "app_push"])
    a = shop.customer(treated("a", "spring"), email=" Ann@Example.com ", push="TokeN")
    address = hashlib.sha256(b"ann@example.com").hexdigest()
    row = {"address_hash": address, "channel": "email", "reason": "bounce", "since": END_OF_DAY + timedelta(seconds=1)}
    shop.add(tables.suppressions, row)
    assert decided(shop, settings, a)[0] == "scheduled", "suppressed only after the business date"
    with shop.engine.begin() as connection:
        connection.execute(tables.suppressions.update().values(since=END_OF_DAY))
    decision, reason = decided(shop, settings, a)
    assert decision == "suppressed", "of two closed channels the one that came furthest names the decision"
    assert reason == "No channel can be used: email: address suppressed (bounce); app_push: no consent."
    shop.consent(a, "app_push", granted=True, at=END_OF_DAY - timedelta(days=1))
    assert run(shop, settings)[("spring", a)]["channel"] == "app_push"
    token = {"address_hash": hashlib.sha256(b"TokeN").hexdigest(), "channel": "app_push", "reason": "complaint"}
    shop.add(tables.suppressions, {**token, "since": END_OF_DAY})
    assert decided(shop, settings, a)[0] == "suppressed"
    with shop.engine.begin() as connection:
        connection.execute(tables.suppressions.update().values(released_at=END_OF_DAY))
    assert decided(shop, settings, a)[0] == "scheduled", "released by an operator"
    with shop.engine.begin() as connection:
        connection.execute(tables.suppressions.update().values(released_at=END_OF_DAY - timedelta(seconds=1)))
    assert decided(shop, settings, a)[0] == "suppressed", "for a reason later than the release"


def test_nothing_to_say_without_the_purpose_of_the_campaign(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", purpose="discovery", items_per_message=2)
    a = shop.customer(treated("a", "spring"))
    shop.recommend(a, business_date=DATE - timedelta(days=1), purpose="discovery")
    assert decided(shop, settings, a)[0] == "nothing_to_say"
    shop.recommend(a, purpose="discovery")
    assert decided(shop, settings, a)[0] == "scheduled"
    assert len(shop.messages()[0]["content"]["items"]) == 2


def test_capped_by_a_message_of_higher_priority_the_same_day(shop: Shop, settings: Settings) -> None:
    for name, priority in (("b-low", 1), ("a-low", 1), ("high", 5), ("none", None)):
        shop.campaign(name, priority=priority)
    a = shop.customer(treated("a", "b-low", "a-low", "high", "none"))
    rows = run(shop, settings)
    assert {name: rows[(name, a)]["decision"] for name in ("high", "a-low", "b-low", "none")} == {
        "high": "scheduled",
        "a-low": "capped",
        "b-low": "capped",
        "none": "capped",
    }
    assert len(shop.messages()) == 1


def test_capped_by_what_the_former_tool_sent(shop: Shop, make_settings: MakeSettings) -> None:
    settings = make_settings(scheduling={"messages_per_week": 1})
    shop.campaign("spring")
    a, b, c, d = (shop.customer(treated(name, "spring")) for name in "abcd")
    for customer, arm, sent_at in (
        (a, "treated", END_OF_DAY - timedelta(days=2)),
        (b, "control", END_OF_DAY - timedelta(days=2)),
        (c, "treated", END_OF_DAY - timedelta(days=8)),
        (d, "treated", END_OF_DAY + timedelta(hours=1)),
    ):
        shop.add(
            tables.message_history,
            {
                "campaign_id": "former",
                "customer_id": customer,
                "channel": "email",
                "arm": arm,
                "sent_at": sent_at,
                **LANDED,
            },
        )
    rows = run(shop, settings)
    assert [rows[("spring", one)]["decision"] for one in (a, b, c, d)] == ["capped", *["scheduled"] * 3]


def test_capped_in_seven_days_by_what_was_sent_or_still_will_be(shop: Shop, make_settings: MakeSettings) -> None:
    settings = make_settings(scheduling={"messages_per_week": 2})
    shop.campaign("spring")
    a = shop.customer(treated("a", "spring"))
    shop.message(a, send_at=END_OF_DAY - timedelta(days=2))
    for state in ("failed", "expired", "cancelled"):
        shop.message(a, send_at=END_OF_DAY - timedelta(days=1), state=state, message_id=state, campaign_id=state)
    assert decided(shop, settings, a)[0] == "scheduled"
    shop.message(a, send_at=END_OF_DAY - timedelta(days=1), state="unknown")
    assert decided(shop, settings, a)[0] == "capped"


def test_the_week_rolls_within_the_day(shop: Shop, make_settings: MakeSettings) -> None:
    """The earlier message went at 12:00:30 a week ago: 13:00 is the first full hour seven days later."""
    shop.campaign("spring")
    a = shop.customer(treated("a", "spring"))
    noon = datetime(2017, 11, 24, 17, 0, 30, tzinfo=UTC)
    shop.message(a, send_at=noon)
    row = run(shop, make_settings(scheduling={"messages_per_week": 1}))[("spring", a)]
    assert list(row["slot_probabilities"]["email"]) == [f"{hour:02d}" for hour in range(13, 21)]


def test_quiet_hours(shop: Shop, make_settings: MakeSettings) -> None:
    shop.campaign("spring")
    a = shop.customer(treated("a", "spring"))
    settings = make_settings(scheduling={"quiet_from": time(8), "quiet_until": time(7, 59)})
    assert decided(shop, settings, a)[0] == "quiet_hours"


@pytest.mark.parametrize(("earliest", "first"), [(None, 18), (time(0), 14), (time(2, 30), 17)])
def test_hours_that_begin_before_the_night_is_over_are_no_choice(
    shop: Shop, make_settings: MakeSettings, earliest: time | None, first: int
) -> None:
    shop.campaign("spring")
    tokyo = shop.customer(treated("tokyo", "spring"), time_zone="Asia/Tokyo")
    odd = shop.customer(treated("odd", "spring"), time_zone="Mars/Olympus")
    rows = run(shop, make_settings(scheduling={"earliest_send_time": earliest} if earliest else {}))
    assert list(rows[("spring", tokyo)]["slot_probabilities"]["email"]) == [str(hour) for hour in range(first, 21)]
    assert rows[("spring", odd)]["reason"].count("America/New_York") == 1


def test_scarce_hours_go_by_value_and_a_repair_is_marked(shop: Shop, make_settings: MakeSettings) -> None:
    """Two hours are open with room for two messages each; five would go."""
    settings = make_settings(
        scheduling={"hourly_capacity": 2, "quiet_from": time(10), "quiet_until": time(8), "holdout_share": 0.0}
    )
    shop.items()
    shop.campaign("spring", control_share=0.0)
    for number in range(5):
        shop.customer(f"c{number}", segment="loyal")
        shop.message(f"c{number}", send_at=END_OF_DAY - timedelta(days=10, hours=number))
        if number:
            sent = END_OF_DAY - timedelta(days=10)
            shop.click(f"k{number}", at=sent, campaign_id="earlier", customer_id=f"c{number}")
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    summary = schedule_messages(shop.engine, settings, business_date=DATE)
    rows = shop.decisions()
    assert summary.decisions == {"no_capacity": 1, "scheduled": 4}
    assert rows[("spring", "c0")]["decision"] == "no_capacity", "the one that never clicked is worth least"
    per_hour = shop.rows("select send_at, count(*) as n from marketing.messages group by send_at")
    assert sorted(row["n"] for row in per_hour if row["send_at"] > END_OF_DAY) == [2, 2]
    repaired = [row for row in rows.values() if "repair" in row["reason"]]
    assert len(repaired) == summary.messages_repaired
    assert all(row["propensity"] is None and row["policy"] is not None and row["explored"] is None for row in repaired)
    assert all(row["slot_probabilities"] for row in repaired)


def test_the_channel_that_is_worth_more_is_likelier(shop: Shop, make_settings: MakeSettings) -> None:
    settings = make_settings(scheduling={"random_hour_share": 0.0})
    shop.items()
    shop.campaign("spring", channels=["email", "app_push"])
    a = shop.customer(treated("a", "spring"), push="token", consents=("email", "app_push"))

    def share_of_push() -> float:
        logged = run(shop, settings)[("spring", a)]["slot_probabilities"]
        assert sum(sum(hours.values()) for hours in logged.values()) == pytest.approx(1)
        return sum(logged["app_push"].values())

    assert share_of_push() == pytest.approx(0.5, abs=0.001), "alike"
    for number in range(10):
        sent = END_OF_DAY - timedelta(days=5 + number, hours=12)
        shop.message(a, send_at=sent, channel="app_push", message_id=f"m{number}")
        shop.click(f"k{number}", at=sent + timedelta(hours=1), message_id=f"m{number}")
    assert share_of_push() > 0.9
    row = shop.decisions()[("spring", a)]
    assert "from 26 feasible hours of 2 channels" in row["reason"]


def test_some_messages_go_at_an_even_hour_to_compare_with(shop: Shop, make_settings: MakeSettings) -> None:
    shop.items()
    shop.campaign("spring")
    a = shop.customer(treated("a", "spring"))
    row = run(shop, make_settings(scheduling={"random_hour_share": 0.999}))[("spring", a)]
    assert row["policy"] == "random_hour"
    assert set(row["slot_probabilities"]["email"].values()) <= {0.076923, 0.076924}
    assert "its hour drawn evenly, to compare with, with probability 0.077 from 13 feasible hours" in row["reason"]


def test_controls_and_the_held_out_are_ghosts_that_take_no_room(shop: Shop, make_settings: MakeSettings) -> None:
    """Whether a message would have gone: not to whom it could not reach, nor past the customer's better message."""
    shop.items()
    shop.campaign("spring", control_share=1.0, priority=2)
    shop.campaign("summer", control_share=0.0, priority=1)
    a, b = shop.customer("a"), shop.customer("b", consents=())
    rows = run(shop, make_settings(scheduling={"holdout_share": 0.0}))
    assert (rows[("spring", a)]["decision"], rows[("spring", a)]["is_ghost"]) == ("control", True)
    assert rows[("summer", a)]["decision"] == "scheduled"
    assert rows[("summer", a)]["is_ghost"] is None
    assert (rows[("spring", b)]["decision"], rows[("spring", b)]["is_ghost"]) == ("control", False)
    rows = run(shop, make_settings(scheduling={"holdout_share": 1.0}))
    assert (rows[("summer", a)]["decision"], rows[("summer", a)]["is_ghost"]) == ("held_out", True)
    assert len(shop.messages()) == 0


def test_a_budget_goes_to_the_messages_that_are_worth_most(shop: Shop, make_settings: MakeSettings) -> None:
    shop.items()
    shop.campaign("spring", control_share=0.0, cost_per_message=0.001, daily_budget=0.002)
    for number in range(5):
        shop.customer(f"c{number}")
        shop.message(f"c{number}", send_at=END_OF_DAY - timedelta(days=10, hours=number))
        if number < 2:
            shop.click(
                f"k{number}", at=END_OF_DAY - timedelta(days=10), campaign_id="earlier", customer_id=f"c{number}"
            )
    rows = run(shop, make_settings(scheduling={"holdout_share": 0.0}))
    assert {name for (_, name), row in rows.items() if row["decision"] == "scheduled"} == {"c0", "c1"}
    assert {row["decision"] for row in rows.values()} == {"scheduled", "over_budget"}


def test_campaigns_of_one_priority_compete_by_value(shop: Shop, settings: Settings) -> None:
    shop.items()
    shop.campaign("dear", priority=1, cost_per_message=0.001)
    shop.campaign("cheap", priority=1)
    a = shop.customer(treated("a", "dear", "cheap"))
    rows = run(shop, settings)
    assert (rows[("cheap", a)]["decision"], rows[("dear", a)]["decision"]) == ("scheduled", "capped")


def test_campaigns_out_of_force_make_no_candidates_and_those_to_approve_wait(shop: Shop, settings: Settings) -> None:
    names = ("last day", "first day", "waiting")
    a = shop.customer(treated("a", *names))
    shop.campaign("last day", ends_on=SEND_DATE)
    shop.campaign("first day", starts_on=SEND_DATE)
    shop.campaign("ended", ends_on=DATE)
    shop.campaign("to come", starts_on=SEND_DATE + timedelta(days=1))
    shop.campaign("waiting", requires_approval=True, priority=1)
    rows = run(shop, settings)
    assert {campaign for campaign, _ in rows} == set(names)
    assert rows[("waiting", a)]["decision"] == "scheduled"
    assert [message["state"] for message in shop.messages()] == ["awaiting_approval"]
    run(shop, settings)
    assert [message["state"] for message in shop.messages()] == ["awaiting_approval"]


def test_a_campaign_that_cannot_be_understood_stops_the_night_by_name(shop: Shop, settings: Settings) -> None:
    shop.customer("a")
    shop.campaign("letters", channels=["post", "email"])
    shop.campaign("odd", audience=["vip"], purpose="upsell", control_share=1.5, items_per_message=0)
    shop.campaign("old letters", channels=["post"], ends_on=DATE)
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    with pytest.raises(ValueError, match="campaign letters") as caught:
        schedule_messages(shop.engine, settings, business_date=DATE)
    message = str(caught.value)
    assert "campaign letters: unknown channels 'post'" in message
    for fault in (
        "unknown audience 'vip'",
        "unknown purpose 'upsell'",
        "control_share is 1.5",
        "items_per_message is 0",
    ):
        assert f"campaign odd: {fault}" in message
    assert "old letters" not in message


def test_missing_features_or_stale_profiles_say_what_to_run(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring")
    with pytest.raises(ValueError, match="run build_features"):
        schedule_messages(shop.engine, settings, business_date=DATE)
    shop.customer("a")
    missing = "no email model of 2017-11-30 that knows its customers: run learn_send_times for 2017-11-30 first"
    with pytest.raises(ValueError, match=missing):
        schedule_messages(shop.engine, settings, business_date=DATE)
    learn_send_times(shop.engine, settings, business_date=DATE + timedelta(days=1))
    learn_responses(shop.engine, settings, business_date=DATE + timedelta(days=1))
    with pytest.raises(ValueError, match=missing):
        schedule_messages(shop.engine, settings, business_date=DATE)
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    shop.customer("b", segment="a segment of its own")
    with pytest.raises(ValueError, match=missing):
        schedule_messages(shop.engine, settings, business_date=DATE)


def test_the_holdout_keeps_its_members_until_released(shop: Shop, make_settings: MakeSettings) -> None:
    shop.campaign("spring", control_share=0.0)
    for number in range(200):
        shop.features(f"c{number}", business_date=DATE)

    def held(**scheduling: object) -> set[str]:
        rows = run(shop, make_settings(scheduling=scheduling))
        return {customer for (_, customer), row in rows.items() if row["arm"] == "holdout"}

    expected = {f"c{number}" for number in range(200) if hash_share("holdout-1", f"c{number}") < 0.2}
    assert held(holdout_share=0.2) == expected
    assert held(holdout_share=0.0) == expected, "a lower share releases nobody"
    released = sorted(expected)[0]
    with shop.engine.begin() as connection:
        of_one = tables.holdouts.c.customer_id == released
        connection.execute(tables.holdouts.update().where(of_one).values(released_on=SEND_DATE))
    assert held(holdout_share=0.2) == expected - {released}
    next_term = held(holdout_share=0.2, holdout_salt="holdout-2")
    assert next_term == {f"c{number}" for number in range(200) if hash_share("holdout-2", f"c{number}") < 0.2}
    assert shop.rows(
        "select count(*) as n from marketing.holdouts where holdout_id = 'holdout-1' and released_on is null"
    ) == [{"n": 0}]


def test_a_holdout_term_that_is_over_is_not_begun_again(shop: Shop, make_settings: MakeSettings) -> None:
    for number in range(60):
        shop.features(f"c{number}", business_date=DATE)

    def plan(salt: str) -> None:
        run(shop, make_settings(scheduling={"holdout_share": 0.2, "holdout_salt": salt}))

    plan("holdout-1")
    plan("holdout-2")
    with pytest.raises(
        ValueError, match=r"'holdout-1' was released on 2017-12-01.*scheduling\.holdout_salt a new name"
    ):
        plan("holdout-1")
    plan("holdout-2")


def test_a_night_run_again_keeps_the_holdout_of_its_time(shop: Shop, make_settings: MakeSettings) -> None:
    shop.campaign("spring", control_share=0.0)
    days = [DATE + timedelta(days=number) for number in range(4)]
    for day in days:
        for number in range(60):
            shop.features(f"c{number}", business_date=day)
        shop.features(f"new on {day}", business_date=day)

    def held(day: date, salt: str, share: float = 0.2) -> tuple[set[str], set[str]]:
        settings = make_settings(scheduling={"holdout_share": share, "holdout_salt": salt})
        learn_send_times(shop.engine, settings, business_date=day)
        learn_responses(shop.engine, settings, business_date=day)
        schedule_messages(shop.engine, settings, business_date=day)
        rows = [row for row in shop.decisions(day).values() if row["decision"] == "held_out"]
        return {row["customer_id"] for row in rows}, {row["reason"] for row in rows}

    first = held(days[1], "holdout-1")
    second = held(days[2], "holdout-2")
    assert first[1] == {"Held out of every campaign (holdout holdout-1)."}
    stored = shop.fingerprint("holdouts")
    for salt in ("holdout-2", "holdout-3"):
        assert held(days[1], salt, share=0.9) == first
    assert held(days[0], "holdout-2") == (set(), set()), "before the first term"
    assert shop.fingerprint("holdouts") == stored
    assert held(days[2], "holdout-2") == second
    held(days[3], "holdout-2")
    stored = shop.fingerprint("holdouts")
    assert held(days[2], "holdout-3") == second, "a term begins with a night that none has followed"
    assert shop.fingerprint("holdouts") == stored


def test_a_night_before_the_only_holdout_term_moves_its_first_day_back(shop: Shop, make_settings: MakeSettings) -> None:
    settings = make_settings(scheduling={"holdout_share": 0.5})
    for day in (DATE + timedelta(days=1), DATE):
        for number in range(20):
            shop.features(f"c{number}", business_date=day)
        learn_send_times(shop.engine, settings, business_date=day)
        learn_responses(shop.engine, settings, business_date=day)
        schedule_messages(shop.engine, settings, business_date=day)
    assert shop.rows("select distinct assigned_on, released_on from marketing.holdouts") == [
        {"assigned_on": DATE, "released_on": None}
    ]


def test_arms_do_not_depend_on_who_can_be_reached(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring")
    names = [f"c{number}" for number in range(300)]
    for number, name in enumerate(names):
        if number % 2:
            shop.features(name, business_date=DATE, segment="lapsed")
        else:
            shop.customer(name)
    rows = run(shop, settings)
    share, control = SchedulingSettings().holdout_share, SchedulingSettings().default_control_share
    for name in names:
        arm = (
            "holdout"
            if hash_share("holdout-1", name) < share
            else "control"
            if hash_share(control_salt("spring"), name) < control
            else "treated"
        )
        assert rows[("spring", name)]["arm"] == arm

"""``evaluate_policies`` on a real Postgres: what counts, what is left out, and figures worked out beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scheduling_shop import DATE, END_OF_DAY, Shop, treated
from sqlalchemy import Engine, text

from include.db import tables
from include.scheduling import evaluate_policies, learn_responses, learn_send_times, policy_log, schedule_messages
from include.scheduling.policy import POLICY_VERSION
from include.settings import Settings

NEW_YORK = ZoneInfo("America/New_York")
HOURS = {8: 0.6, 12: 0.3, 20: 0.1}
CLICKED = {8: 0.2, 12: 0.5, 20: 0.3}
"""Share of the sends at each hour that are clicked."""


class Log:
    """Decisions, messages and clicks, one a night for each of some customers; keeps what it wrote."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.random = np.random.default_rng(11)
        self.sends: list[dict[str, Any]] = []

    def fill(self, customers: int = 80, nights: int = 10, last: date = DATE - timedelta(days=2), **fields: Any) -> None:
        for back in range(nights - 1, -1, -1):
            for customer in range(customers):
                hour = int(self.random.choice(list(HOURS), p=list(HOURS.values())))
                clicked = bool(self.random.random() < CLICKED[hour])
                self.add(f"c{customer}", last - timedelta(days=back), hour, clicked, **fields)

    def add(self, customer: str, night: date, hour: int, clicked: bool, **fields: Any) -> None:
        """``fields`` of the decision; the message is due at that hour in New York on the day after the night."""
        send_at = datetime.combine(night + timedelta(days=1), datetime.min.time(), NEW_YORK).replace(hour=hour)
        told = {"email": {f"{one:02d}": share for one, share in HOURS.items()}}
        decision = {"propensity": HOURS[hour], "slot_probabilities": told, "policy": "chosen", "channel": "email"}
        send = {"customer": customer, "night": night, "hour": hour, "send_at": send_at, "clicked": clicked}
        self.sends.append({**send, **decision, **fields})

    def write(self) -> None:
        decisions, messages, clicks = [], [], []
        for number, send in enumerate(self.sends):
            key = {"business_date": send["night"], "campaign_id": "spring", "customer_id": send["customer"]}
            decisions.append(
                {
                    **key,
                    "arm": "treated",
                    "decision": "scheduled",
                    "reason": "As the test says.",
                    "channel": send["channel"],
                    "send_at": send["send_at"],
                    "propensity": send["propensity"],
                    "slot_probabilities": send["slot_probabilities"],
                    "policy": send["policy"],
                    "policy_version": send.get("policy_version", POLICY_VERSION),
                }
            )
            messages.append(
                {
                    **key,
                    "message_id": f"m{number}",
                    "channel": send["channel"],
                    "send_date": send["night"] + timedelta(days=1),
                    "send_at": send["send_at"],
                    "not_after": send["send_at"] + timedelta(hours=6),
                    "state": send.get("state", "sent"),
                    "sent_at": send["send_at"] + send.get("late", timedelta(minutes=7)),
                    "content": {},
                }
            )
            if send["clicked"]:
                clicks.append(
                    {
                        "engagement_id": f"k{number}",
                        "message_id": f"m{number}",
                        "engagement_type": "click",
                        "occurred_at": send["send_at"] + send.get("delay", timedelta(hours=1)),
                        "is_machine": send.get("is_machine", False),
                        "attributes": send.get("attributes", {}),
                        "file_id": 1,
                        "row_number": 1,
                    }
                )
        self.shop.add(tables.message_decisions, *decisions)
        self.shop.add(tables.messages, *messages)
        self.shop.add(tables.engagements, *clicks)
        for customer in sorted({send["customer"] for send in self.sends}):
            self.shop.add(
                tables.customers,
                {"customer_id": customer, "time_zone": "America/New_York", "file_id": 1, "row_number": 1},
            )

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Weight of a random hour, and reward."""
        weight = np.array([(1 / len(HOURS)) / HOURS[send["hour"]] for send in self.sends])
        return weight, np.array([float(send["clicked"]) for send in self.sends])


@pytest.fixture
def shop(engine: Engine) -> Shop:
    return Shop(engine)


@pytest.fixture
def log(shop: Shop) -> Log:
    return Log(shop)


def values(log: Log, settings: Settings, business_date: date = DATE) -> dict[tuple[str, str], dict[str, Any]]:
    evaluate_policies(log.shop.engine, settings, business_date=business_date)
    rows = log.shop.rows("select * from marketing.policy_values where business_date = :day", day=business_date)
    for row in rows:
        figures = ("value", "ci_low", "ci_high")
        assert len({row[name] is None for name in figures}) == 1
        assert all(row[name] is None or np.isfinite(row[name]) for name in figures)
    return {(row["policy"], row["estimator"]): row for row in rows}


def test_random_hours_are_worth_what_the_formulas_say(log: Log, settings: Settings) -> None:
    log.fill()
    log.write()
    found = values(log, settings)
    weight, reward = log.arrays()
    assert found["as_logged", "ips"]["value"] == pytest.approx(reward.mean())
    assert found["random_hour", "ips"]["value"] == pytest.approx((weight * reward).mean())
    assert found["random_hour", "snips"]["value"] == pytest.approx((weight * reward).sum() / weight.sum())
    for estimator in ("ips", "snips"):
        row = found["random_hour", estimator]
        assert row["difference"] == pytest.approx(reward.mean() - row["value"])
        assert row["difference_low"] < row["difference"] < row["difference_high"]
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert row["effective_sample_size"] == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
        assert (row["sends"], row["left_out"], row["metric"]) == (800, 0, "click")
    # DR's model is the rates of other customers' sends: it tells a little more closely.
    ips, dr = found["random_hour", "ips"], found["random_hour", "dr"]
    assert dr["value"] == pytest.approx(ips["value"], abs=0.02)
    assert dr["ci_high"] - dr["ci_low"] < ips["ci_high"] - ips["ci_low"]
    assert {policy for policy, _ in found} == {"as_logged", "random_hour", "modal_hour", "global_hour"}
    assert found["random_hour", "experiment"]["verdict"].startswith("Not enough data")


def test_the_best_hour_is_found_and_valued(log: Log, settings: Settings) -> None:
    log.fill(customers=100, nights=18)
    log.write()
    row = values(log, settings)["global_hour", "dr"]
    # 12:00 from the first nights on: half of the sends there are clicked, a loss for a policy that prefers 8:00.
    assert row["ci_low"] < 0.5 < row["ci_high"]
    assert row["difference_high"] < 0
    assert row["verdict"] == "A loss against the shop's best hour."


NOT_COUNTED: dict[str, dict[str, Any]] = {
    "a machine's click": {"is_machine": True},
    "a click after a day": {"delay": timedelta(hours=24, minutes=8)},
    "a click before": {"delay": timedelta(minutes=6)},
}


@pytest.mark.parametrize("fields", NOT_COUNTED.values(), ids=NOT_COUNTED)
def test_clicks_that_do_not_count(log: Log, settings: Settings, fields: dict[str, Any]) -> None:
    log.fill()
    clicked = sum(send["clicked"] for send in log.sends)
    for send in log.sends[:100]:
        if send["clicked"]:
            send.update(fields)
            clicked -= 1
    log.write()
    assert values(log, settings)["as_logged", "ips"]["value"] == pytest.approx(clicked / len(log.sends))


def test_sends_that_do_not_count(log: Log, settings: Settings) -> None:
    log.fill()
    valued = len(log.sends)
    other = {"email": {"08": 0.98, "12": 0.01, "20": 0.01}}
    night = DATE - timedelta(days=30)
    log.add("repaired", night, 12, True, propensity=None)
    log.add("late", night, 12, True, late=timedelta(hours=1), delay=timedelta(hours=2))
    log.add("just in time", night, 12, True, late=timedelta(minutes=59))
    log.add("below the floor", night, 8, True, propensity=0.98, slot_probabilities=other)
    log.add("another propensity", night, 12, True, propensity=0.9)
    log.add("no probabilities", night, 12, True, slot_probabilities={})
    log.add("not sent", night, 12, True, state="expired")
    log.add("another policy", night, 12, True, policy_version="before")
    log.add("not matured", DATE - timedelta(days=1), 12, True)
    log.add("long ago", DATE - timedelta(days=policy_log.WINDOW_DAYS), 12, True)
    log.write()
    found = values(log, settings)["random_hour", "ips"]
    valued += 1
    assert (found["sends"], found["left_out"]) == (valued, 5)
    summary = evaluate_policies(log.shop.engine, settings, business_date=DATE)
    assert summary.left_out == {"moved": 2, "unsound": 2, "below_floor": 1}
    assert (summary.sends, summary.policy_version) == (valued, POLICY_VERSION)
    assert values(log, settings)["as_logged", "dr"]["verdict"] == (
        "What was sent, as it was sent. Left out: 2 not sent as drawn, 2 without sound probabilities, "
        "1 with one below the floor of today's exploration."
    )


def test_ips_and_dr_say_nothing_where_much_is_left_out(log: Log, settings: Settings) -> None:
    log.fill()
    for send in log.sends[::50]:
        send["propensity"] = None
    log.write()
    found = values(log, settings)
    assert (found["random_hour", "ips"]["left_out"], found["random_hour", "ips"]["value"] is None) == (16, False)
    with log.shop.engine.begin() as connection:
        connection.execute(text("update marketing.message_decisions set propensity = null where customer_id = 'c1'"))
    found = values(log, settings)
    words = "Not enough data: 3.2% of the sends are left out (this estimator stands 2% at most)."
    for estimator in ("ips", "dr"):
        row = found["random_hour", estimator]
        assert (row["verdict"], row["value"], row["difference"]) == (words, None, None)
    assert found["random_hour", "snips"]["difference"] is not None


def test_both_channels_keep_their_shares(log: Log, settings: Settings) -> None:
    log.fill(customers=100, nights=4)
    both = {"email": {"08": 0.5, "12": 0.2}, "app_push": {"08": 0.1, "12": 0.15, "20": 0.05}}
    for customer in range(20):
        for back in range(15):
            fields = {"channel": "app_push", "slot_probabilities": both, "propensity": 0.15}
            log.add(f"p{customer}", DATE - timedelta(days=2 + back), 12, back % 2 == 0, **fields)
    log.write()
    found = values(log, settings)
    weight, reward = log.arrays()
    weight[400:] = (0.3 / 3) / 0.15
    assert found["random_hour", "ips"]["value"] == pytest.approx((weight * reward).mean())
    assert found["random_hour", "ips"]["left_out"] == 0


def test_only_what_was_known_on_the_date_counts(log: Log, settings: Settings) -> None:
    log.fill(nights=14)
    log.write()
    earlier = DATE - timedelta(days=8)
    before = values(log, settings, earlier)
    assert before["as_logged", "ips"]["sends"] == 80 * 6, "a send of the night before last has had its 24 hours"
    assert values(log, settings)["as_logged", "ips"]["sends"] == 80 * 14
    with log.shop.engine.begin() as connection:
        connection.execute(
            text("delete from marketing.messages where send_at > :then"), {"then": earlier + timedelta(days=1)}
        )
    assert values(log, settings, earlier) == before, "a rerun gives the same"


def test_reading_in_many_parts_gives_the_same(log: Log, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    log.fill()
    log.write()
    whole = values(log, settings)
    monkeypatch.setattr(policy_log, "ROWS_AT_ONCE", 50)
    parts = values(log, settings)
    for key, row in whole.items():
        assert {name: figure for name, figure in parts[key].items() if not isinstance(figure, float)} == {
            name: figure for name, figure in row.items() if not isinstance(figure, float)
        }
        for name, figure in row.items():
            if isinstance(figure, float):
                assert parts[key][name] == pytest.approx(figure, abs=1e-12), (key, name)


def test_the_control_at_random_hours_is_an_experiment(log: Log, settings: Settings) -> None:
    log.fill()
    log.fill(nights=5, last=DATE - timedelta(days=30))  # nights without a control are not beside it
    uniform = {"email": {f"{hour:02d}": 1 / 3 for hour in HOURS}}
    at_random = []
    for customer in range(60, 160):
        for back in range(3):
            fields = {"policy": "random_hour", "slot_probabilities": uniform, "propensity": 1 / 3}
            clicked = bool(log.random.random() < 0.5)
            log.add(f"r{customer}", DATE - timedelta(days=2 + back), 20, clicked, **fields)
            at_random.append(log.sends[-1])
    log.write()
    row = values(log, settings)["random_hour", "experiment"]
    first = min(send["night"] for send in at_random)
    chosen = [send["clicked"] for send in log.sends if send["policy"] == "chosen" and send["night"] >= first]
    clicked = np.mean([send["clicked"] for send in at_random])
    assert (row["sends"], row["value"]) == (300, pytest.approx(clicked))
    assert row["difference"] == pytest.approx(np.mean(chosen) - clicked)
    assert row["difference_high"] < 0
    assert row["verdict"] == "A loss against random hours."
    assert values(log, settings)["as_logged", "ips"]["sends"] == 1200, "the control is no part of the policy"


MakeSettings = Callable[..., Settings]


def test_the_experiment_takes_all_as_they_were_meant_to_be(log: Log, make_settings: MakeSettings) -> None:
    """Where a floor raised since leaves out a night's chosen sends but not its control; and where repairs do."""
    uniform = {"email": {f"{hour:02d}": 1 / 3 for hour in HOURS}}
    for customer in range(100):
        for night in (DATE - timedelta(days=30), DATE - timedelta(days=3)):
            is_old = night < DATE - timedelta(days=20)  # when there were twice as many clicks
            log.add(f"c{customer}", night, 8, customer % 4 < 1 + is_old)
            fields = {"policy": "random_hour", "slot_probabilities": uniform, "propensity": 1 / 3}
            if customer % 3 == 0:
                fields["propensity"] = None
            log.add(f"r{customer}", night, 12, customer % 4 < 1 + is_old, **fields)
        log.sends[-4]["slot_probabilities"] = {"email": {"08": 0.6, "12": 0.38, "20": 0.02}}
    log.write()
    for exploration in (0.05, 0.2):
        row = values(log, make_settings(scheduling={"exploration": exploration}))["random_hour", "experiment"]
        assert (row["sends"], row["left_out"]) == (200, 0)
        assert row["difference"] == pytest.approx(0)
        assert row["verdict"] == "No difference to random hours is shown."


def test_generated_clicks_are_said_to_be(log: Log, settings: Settings) -> None:
    log.fill()
    log.write()
    assert not values(log, settings)["as_logged", "ips"]["includes_generated"]
    at = log.sends[0]["send_at"] + timedelta(hours=2)
    log.shop.click("made", at=at.astimezone(UTC), message_id="m0", attributes={"generated": True})
    assert values(log, settings)["as_logged", "ips"]["includes_generated"]


def test_an_empty_log_says_that_there_is_not_enough(log: Log, settings: Settings) -> None:
    found = values(log, settings)
    assert len(found) == 13
    for row in found.values():
        assert row["verdict"] == "Not enough data: no send with a known probability has matured."
        assert row["value"] is row["difference"] is None
    assert evaluate_policies(log.shop.engine, settings, business_date=DATE).policy_version is None


def test_every_decision_of_a_night_is_one_that_can_be_valued(shop: Shop, settings: Settings) -> None:
    """Neither what is logged in millionths nor the feasible hours of either channel may fall below the floor."""
    shop.items()
    shop.campaign("spring", channels=["email", "app_push"], cost_per_message=0.0001)
    zones = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe")
    for number in range(24):
        consents = ("email", "app_push") if number % 3 else ("email",)
        customer = treated(f"c{number}", "spring")
        shop.customer(customer, push="token", consents=consents, time_zone=zones[number % 4])
        for week in range(3, 9):  # so that some hours are all but left to chance
            sent = END_OF_DAY - timedelta(weeks=week, hours=4)
            shop.message(customer, send_at=sent)
            shop.click(f"{customer} {week}", at=sent + timedelta(hours=1), campaign_id="earlier", customer_id=customer)
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    planned = schedule_messages(shop.engine, settings, business_date=DATE).messages_planned
    assert planned == 24
    with shop.engine.begin() as connection:
        connection.execute(text("update marketing.messages set state = 'sent', sent_at = send_at"))
    summary = evaluate_policies(shop.engine, settings, business_date=DATE + timedelta(days=3))
    assert summary.left_out == {"moved": 0, "unsound": 0, "below_floor": 0}
    at_random = shop.rows("select count(*) as n from marketing.message_decisions where policy = 'random_hour'")
    assert (summary.sends, at_random[0]["n"]) == (planned - at_random[0]["n"], at_random[0]["n"])


def test_a_log_without_the_floor_is_left_out_whole(log: Log, make_settings: MakeSettings) -> None:
    log.fill()
    log.write()
    found = values(log, make_settings(scheduling={"exploration": 0.5}))["random_hour", "ips"]
    assert (found["sends"], found["left_out"], found["value"]) == (0, 800, None)

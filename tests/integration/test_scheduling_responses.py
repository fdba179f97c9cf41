"""``learn_responses`` on a real Postgres: what counts as a loss, click or order, and that planted rates come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scheduling_shop import DATE, END_OF_DAY, LANDED, Shop
from sqlalchemy import Engine

from include.db import tables
from include.db.copy import copy_in
from include.scheduling import ResponseSummary, learn_responses
from include.scheduling.conversion import ORDERS_PER_CLICK
from include.scheduling.fatigue import PRIOR_LOST
from include.scheduling.response_models import read_conversion, read_fatigue
from include.settings import Settings

HALF_LIFE = timedelta(days=75)
SENT = END_OF_DAY - HALF_LIFE
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def shop(engine: Engine) -> Shop:
    return Shop(engine)


def learn(shop: Shop, settings: Settings) -> ResponseSummary:
    return learn_responses(shop.engine, settings, business_date=DATE)


def engage(shop: Shop, name: str, kind: str, **fields: Any) -> None:
    shop.click(name, engagement_type=kind, **fields)


def buy(shop: Shop, event_id: str, **fields: Any) -> None:
    row = {"event_id": event_id, "event_type": "purchase", "customer_id": "a", "unit_price": 10, "quantity": 1}
    shop.add(tables.events, {**row, **LANDED, **fields})


def gained(shop: Shop, settings: Settings, act: Callable[[], None]) -> dict[str, float]:
    """What ``act`` adds to the summary, by what it adds to."""
    before = learn(shop, settings)
    act()
    after = learn(shop, settings)
    fields = ("matured_sends", "unsubscribed", "complained", "clicks", "orders")
    changes = {field: getattr(after, field) - getattr(before, field) for field in fields}
    return {field: change for field, change in changes.items() if change}


def test_an_empty_shop_has_the_priors(shop: Shop, settings: Settings) -> None:
    assert learn(shop, settings).matured_sends == 0
    with shop.engine.connect() as connection:
        fatigue, conversion = read_fatigue(connection, DATE), read_conversion(connection, DATE)
    for channel in ("email", "app_push"):
        np.testing.assert_allclose(fatigue.probability(channel, np.arange(20)), PRIOR_LOST, rtol=1e-4)
        assert conversion.of("any", channel).orders_per_click == pytest.approx(ORDERS_PER_CLICK)
        assert fatigue.worth(channel, np.array([100.0])) == [0], "nobody ever bought anything"


def test_what_was_not_learned_cannot_be_read(shop: Shop, settings: Settings) -> None:
    learn(shop, settings)
    with shop.engine.connect() as connection:
        for read in (read_fatigue, read_conversion):
            with pytest.raises(ValueError, match="run learn_responses for 2017-12-01 first"):
                read(connection, DATE + DAY)


def test_what_counts_as_a_send(shop: Shop, settings: Settings) -> None:
    for number, (sent, fields) in enumerate(
        [(SENT, {"state": "failed"}), (END_OF_DAY - 7 * DAY, {}), (END_OF_DAY - 6 * HALF_LIFE, {})]
    ):
        names = {"message_id": str(number), "campaign_id": str(number)}
        assert gained(shop, settings, lambda s=sent, f=names | fields: shop.message("a", send_at=s, **f)) == {}
    assert gained(shop, settings, lambda: shop.message("a", send_at=SENT)) == {"matured_sends": 0.5}
    row = {"campaign_id": "old", "customer_id": "a", "channel": "email", "sent_at": SENT + HOUR, **LANDED}
    assert gained(shop, settings, lambda: shop.add(tables.message_history, {**row, "arm": "control"})) == {}
    letter = {**row, "channel": "letter", "arm": "treated"}
    assert gained(shop, settings, lambda: shop.add(tables.message_history, letter)) == {}
    treated = gained(
        shop, settings, lambda: shop.add(tables.message_history, {**row, "campaign_id": "older", "arm": "treated"})
    )
    assert treated == {"matured_sends": pytest.approx(0.5, rel=0.01)}


def test_what_counts_as_a_loss(shop: Shop, settings: Settings) -> None:
    shop.message("a", send_at=SENT, message_id="one")
    shop.message("b", send_at=SENT, message_id="two")
    for number, (kind, fields) in enumerate(
        [
            ("unsubscribe", {"at": SENT + 7 * DAY, "message_id": "one"}),
            ("unsubscribe", {"at": SENT - HOUR, "message_id": "one"}),
            ("unsubscribe", {"at": SENT + HOUR, "message_id": "of nobody"}),
            ("unsubscribe", {"at": SENT + HOUR, "campaign_id": "another", "customer_id": "a"}),
            ("bounce", {"at": SENT + HOUR, "message_id": "one"}),
        ]
    ):
        assert gained(shop, settings, lambda k=kind, f=fields, n=number: engage(shop, f"no-{n}", k, **f)) == {}
    late = {"at": SENT + 6 * DAY, "message_id": "one"}
    assert gained(shop, settings, lambda: engage(shop, "first", "unsubscribe", **late)) == {"unsubscribed": 0.5}
    assert gained(shop, settings, lambda: engage(shop, "again", "unsubscribe", **late)) == {}, "lost is lost"
    assert gained(shop, settings, lambda: engage(shop, "angry", "complaint", **late)) == {"complained": 0.5}
    by_campaign = {"at": SENT + HOUR, "campaign_id": "earlier", "customer_id": "b"}
    assert gained(shop, settings, lambda: engage(shop, "other", "complaint", **by_campaign)) == {"complained": 0.5}


def test_a_consent_taken_back_counts_as_an_unsubscribe_once(shop: Shop, settings: Settings) -> None:
    for name, at in (("one", SENT - 3 * DAY), ("two", SENT)):
        shop.message("a", send_at=at, message_id=name, channel="app_push", campaign_id=name)
    shop.consent("a", "app_push", granted=True, at=SENT - 50 * DAY)
    for channel, granted, at in (
        ("email", False, SENT + HOUR),
        ("app_push", False, SENT - 4 * DAY),
        ("app_push", False, SENT + DAY),
        ("app_push", True, SENT + 2 * DAY),
        ("app_push", False, SENT + 8 * DAY),
    ):
        refused = gained(shop, settings, lambda c=channel, g=granted, t=at: shop.consent("a", c, granted=g, at=t))
        assert refused == {}, "of another channel, before, a refusal told again, too late"
    # Had it been given once more, the refusal of the day after the message takes something back.
    withdrawn = gained(shop, settings, lambda: shop.consent("a", "app_push", granted=True, at=SENT - DAY))
    assert withdrawn == {"unsubscribed": 0.5}
    told = {"at": SENT + 3 * DAY, "message_id": "one"}
    both = gained(shop, settings, lambda: engage(shop, "told", "unsubscribe", **told))
    assert both == {"unsubscribed": pytest.approx(0.5 * (2 ** (-3 / 75) - 1), rel=0.05)}, "of the message it names"


def test_what_counts_as_a_click_and_an_order(shop: Shop, settings: Settings) -> None:
    shop.message("a", send_at=SENT - HOUR, message_id="one")
    shop.message("a", send_at=SENT, message_id="push", channel="app_push", campaign_id="other")
    immature = END_OF_DAY - 4 * DAY
    shop.message("a", send_at=immature, message_id="late")
    not_clicks = [
        {"at": SENT, "message_id": "one", "is_machine": True},
        {"at": SENT, "message_id": "one", "engagement_type": "open"},
        {"at": immature + HOUR, "message_id": "late"},
    ]
    for number, fields in enumerate(not_clicks):
        assert gained(shop, settings, lambda f=fields, n=number: shop.click(f"no-{n}", **f)) == {}
    buy(shop, "before", occurred_at=SENT - HOUR)
    buy(shop, "after", occurred_at=SENT + HOUR)
    buy(shop, "a line more", occurred_at=SENT + 2 * HOUR, order_id="o")
    buy(shop, "and more", occurred_at=SENT + 3 * HOUR, order_id="o")
    buy(shop, "too late", occurred_at=SENT + 6 * DAY)
    buy(shop, "of another", occurred_at=SENT + HOUR, customer_id="b")
    clicked = gained(shop, settings, lambda: shop.click("yes", at=SENT, message_id="one"))
    assert clicked == {"clicks": 0.5, "orders": 1}, "two orders, at half their weight"
    assert gained(shop, settings, lambda: shop.click("twice", at=SENT + HOUR, message_id="one")) == {}
    taken = gained(shop, settings, lambda: shop.click("push", at=SENT + 1.5 * HOUR, message_id="push"))
    # Aged 74 whole days: half a day more would be the same.
    assert taken == {"clicks": pytest.approx(0.5, rel=0.02), "orders": pytest.approx(0, abs=0.01)}, "credited once"
    with shop.engine.connect() as connection:
        conversion = read_conversion(connection, DATE)
    push, email = (conversion.of(*key) for key in (("other", "app_push"), ("earlier", "email")))
    assert push.orders_per_click == pytest.approx(email.orders_per_click, rel=0.02)
    assert push.margin_per_order > email.margin_per_order, "its order had two lines of 10 at a margin of 0.3"


def test_an_order_after_a_late_click_is_not_the_earlier_ones(shop: Shop, settings: Settings) -> None:
    """What is not matured is not counted, but what it is credited with is not another's either."""
    early = END_OF_DAY - 7 * DAY
    shop.message("a", send_at=early, message_id="one")
    shop.message("a", send_at=early + 3 * DAY, message_id="two", campaign_id="other")
    shop.click("first", at=early + HOUR, message_id="one")
    buy(shop, "bought", occurred_at=early + 4 * DAY)
    assert learn(shop, settings).orders > 0.9
    late = gained(shop, settings, lambda: shop.click("second", at=early + 3.5 * DAY, message_id="two"))
    assert set(late) == {"orders"}
    assert late["orders"] < -0.9


def test_the_cost_of_handling_an_order_is_taken_off_its_margin(shop: Shop, settings: Settings) -> None:
    shop.campaign("earlier", cost_per_order=2)
    shop.message("a", send_at=SENT, message_id="one")
    shop.click("yes", at=SENT + HOUR, message_id="one")
    buy(shop, "bought", occurred_at=SENT + 2 * HOUR, unit_price=100)
    learn(shop, settings)
    with shop.engine.connect() as connection:
        cheap = read_conversion(connection, DATE).of("earlier", "email").margin_per_order
    with shop.engine.begin() as connection:
        connection.execute(tables.campaigns.update().values(cost_per_order=30))
    learn(shop, settings)
    with shop.engine.connect() as connection:
        assert read_conversion(connection, DATE).of("earlier", "email").margin_per_order < cheap


def test_a_machines_click_never_counts(shop: Shop, settings: Settings) -> None:
    for number in range(50):
        shop.message("a", send_at=SENT + number * HOUR, message_id=str(number), campaign_id=str(number))
        shop.click(f"machine-{number}", at=SENT + number * HOUR, message_id=str(number), is_machine=True)
    buy(shop, "bought", occurred_at=SENT + 3 * DAY)
    summary = learn(shop, settings)
    assert (summary.clicks, summary.orders) == (0, 0)
    with shop.engine.connect() as connection:
        fatigue = read_fatigue(connection, DATE)
    np.testing.assert_array_equal(fatigue.click_factor("email", np.arange(15), np.ones(15, int)), 1)
    rows = "select parameters from marketing.response_models where subject = 'fatigue' and channel = 'email'"
    assert shop.rows(rows)[0]["parameters"]["value_per_message"] == 0, "no order in the last 28 days"


# --- planted truth ---------------------------------------------------------------------------------------------------


def plant(shop: Shop, lost_after: np.ndarray, *, customers: int = 2000, weeks: int = 10, seed: int = 1) -> None:
    """Customers of four paces, 1 to 4 messages a week, and unsubscribes as likely as ``lost_after`` (recent,) says."""
    random = np.random.default_rng(seed)
    sends = [
        (f"c{who}", END_OF_DAY - (8 + 7 * week) * DAY - place * 1.5 * DAY, who % 4)
        for who in range(customers)
        for week in range(weeks)
        for place in range(who % 4 + 1)
    ]
    frame = pd.DataFrame(sends, columns=["customer_id", "sent_at", "others"]).sort_values("sent_at", ignore_index=True)
    # The message a week ago to the second is not in the seven days before.
    recent = np.minimum(frame.groupby("customer_id").cumcount(), frame["others"]).to_numpy()
    frame["message_id"] = [f"m{number}" for number in range(len(frame))]
    common = {"campaign_id": "earlier", "channel": "email", "business_date": DATE, "state": "sent", "content": "{}"}
    times = {"send_at": frame["sent_at"], "not_after": frame["sent_at"], "send_date": frame["sent_at"].dt.date}
    messages = frame.drop(columns="others").assign(**common, **times)
    lost = random.random(len(frame)) < lost_after[recent]
    unsubscribes = pd.DataFrame(
        {
            "engagement_id": frame["message_id"],
            "message_id": frame["message_id"],
            "engagement_type": "unsubscribe",
            "occurred_at": frame["sent_at"] + HOUR,
            **LANDED,
        }
    )[lost]
    with shop.engine.begin() as connection:
        copy_in(connection, tables.messages, messages)
        copy_in(connection, tables.engagements, unsubscribes)


def test_a_risk_that_rises_with_messages_is_found(shop: Shop, settings: Settings) -> None:
    truth = np.array([0.002, 0.005, 0.010, 0.025])
    plant(shop, truth)
    learn(shop, settings)
    with shop.engine.connect() as connection:
        fatigue = read_fatigue(connection, DATE)
    known = fatigue.channels["email"]
    assert ((known.low[:4] <= truth) & (truth <= known.high[:4])).sum() >= 3, (known.low[:4], known.high[:4])
    np.testing.assert_allclose(known.lost[:4], truth, rtol=0.35)
    assert (np.diff(known.lost) >= 0).all()
    np.testing.assert_allclose(fatigue.probability("app_push", np.arange(4)), PRIOR_LOST, rtol=1e-4)
    assert known.messages_per_week == pytest.approx(2.5 * 20 / 28, rel=0.05), "the last eight days had none"


def test_where_messages_do_no_harm_the_curve_is_flat(shop: Shop, settings: Settings) -> None:
    plant(shop, np.full(4, 0.004))
    learn(shop, settings)
    with shop.engine.connect() as connection:
        known = read_fatigue(connection, DATE).channels["email"]
    assert known.lost[3] / known.lost[0] < 1.4
    assert ((known.low[:4] <= 0.004) & (known.high[:4] >= 0.004)).all()


def test_running_twice_and_from_later_data_gives_the_same_rows(shop: Shop, settings: Settings) -> None:
    plant(shop, np.full(4, 0.01), customers=100)
    for number in range(20):
        shop.click(f"k{number}", at=END_OF_DAY - 30 * DAY, campaign_id="earlier", customer_id=f"c{number}")
        buy(shop, f"e{number}", occurred_at=END_OF_DAY - 29 * DAY, customer_id=f"c{number}")
    learn(shop, settings)
    first = shop.fingerprint("response_models")
    shop.message("c1", send_at=END_OF_DAY + HOUR)
    shop.click("later", at=END_OF_DAY + HOUR, message_id="m1")
    engage(shop, "later too", "unsubscribe", at=END_OF_DAY + HOUR, message_id="m2")
    buy(shop, "later still", occurred_at=END_OF_DAY)
    learn(shop, settings)
    assert shop.fingerprint("response_models") == first
    learn_responses(shop.engine, settings, business_date=DATE + DAY)
    assert shop.rows("select count(*) as n from marketing.response_models") == [{"n": 8}]

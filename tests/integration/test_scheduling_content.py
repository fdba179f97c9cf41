"""Which items a message shows, in which place, and with what probability: on a real Postgres."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scheduling_shop import DATE, END_OF_DAY, Shop, treated
from scipy.stats import chisquare
from sqlalchemy import Engine, text

from include.scheduling import learn_responses, learn_send_times, schedule_messages
from include.settings import Settings

MakeSettings = Callable[..., Settings]
CUSTOMERS = 2000
LIST = 7
EVERYONE = """
insert into marketing.customers (customer_id, email, time_zone, file_id, row_number)
select 'c' || n, 'c' || n || '@example.com', 'America/New_York', 1, n from generate_series(1, :customers) as n;
insert into marketing.consents (customer_id, channel, occurred_at, granted, file_id, row_number)
select customer_id, 'email', cast(:end_of_day as timestamptz) - interval '9 days', true, 1, 1 from marketing.customers;
insert into marketing.customer_features (
    business_date, customer_id, frequency, monetary_value, preferred_categories, active_hours, segment
)
select :business_date, customer_id, 1, 10, '{}', '{}', 'regular' from marketing.customers;
insert into marketing.recommendations (business_date, customer_id, purpose, rank, item_id, score, strategy, model_id)
select :business_date, customer_id, 'next_purchase', rank, 'item-' || rank, 1, 'als', 'model'
from marketing.customers cross join generate_series(1, 7) as rank
"""


@pytest.fixture
def shop(engine: Engine) -> Shop:
    return Shop(engine)


def planned(shop: Shop, settings: Settings) -> list[list[dict[str, Any]]]:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)
    return [row["content"]["items"] for row in shop.messages()]


def many(shop: Shop, customers: int = CUSTOMERS) -> None:
    shop.items(price=10)
    shop.campaign("spring", items_per_message=3, control_share=0)
    bound = {"customers": customers, "end_of_day": END_OF_DAY, "business_date": DATE}
    with shop.engine.begin() as connection:
        for statement in EVERYONE.split(";"):
            connection.execute(text(statement), bound)


def test_places_are_drawn_as_often_as_logged(shop: Shop, make_settings: MakeSettings) -> None:
    many(shop)
    temperature = 0.8
    messages = planned(shop, make_settings(scheduling={"content_exploration": temperature, "holdout_share": 0.0}))
    assert len(messages) == CUSTOMERS
    weight = {f"item-{rank}": rank ** (-1 / temperature) for rank in range(1, LIST + 1)}
    for items in messages:
        left = dict(weight)
        for item in items:
            assert item["propensity"] == pytest.approx(left[item["item_id"]] / sum(left.values()))
            del left[item["item_id"]]
        assert len(left) == LIST - 3
    first = Counter(items[0]["item_id"] for items in messages)
    expected = np.array(list(weight.values())) / sum(weight.values()) * len(messages)
    assert chisquare([first[name] for name in weight], expected).pvalue > 0.001
    # Of those that begin with the first item, the second place by what is left.
    then = Counter(items[1]["item_id"] for items in messages if items[0]["item_id"] == "item-1")
    others = np.array([weight[name] for name in weight if name != "item-1"])
    shares = others / others.sum() * then.total()
    assert chisquare([then[name] for name in weight if name != "item-1"], shares).pvalue > 0.001


def test_without_exploration_the_list_keeps_its_order(shop: Shop, make_settings: MakeSettings) -> None:
    shop.items(price=10)
    shop.campaign("spring", items_per_message=3)
    shop.customer(treated("a", "spring"))
    items = planned(shop, make_settings(scheduling={"content_exploration": 0}))[0]
    assert [(item["item_id"], item["propensity"]) for item in items] == [
        ("item-1", 1),
        ("item-2", 1),
        ("item-3", 1),
    ]
    assert items[0]["reason_item_id"] == "bought"


def test_what_was_shown_lately_steps_back_and_returns(shop: Shop, make_settings: MakeSettings) -> None:
    shop.items(price=10)
    shop.campaign("spring", items_per_message=3)
    lately, long_ago = (shop.customer(treated(name, "spring")) for name in ("lately", "long ago"))
    shown = {"items": [{"item_id": "item-1"}]}
    shop.message(lately, send_at=END_OF_DAY - timedelta(days=2), content=shown)
    shop.message(long_ago, send_at=END_OF_DAY - timedelta(days=41), content=shown)
    of_lately, of_long_ago = planned(shop, make_settings(scheduling={"content_exploration": 0}))
    # Two days ago, at a half-life of seven: e^0.82 = 2.3 times as far down.
    assert [item["item_id"] for item in of_lately] == ["item-2", "item-1", "item-3"]
    assert [item["item_id"] for item in of_long_ago] == ["item-1", "item-2", "item-3"]


def test_a_rerun_shows_the_same_in_the_same_order(shop: Shop, make_settings: MakeSettings) -> None:
    many(shop, customers=50)
    settings = make_settings(scheduling={"content_exploration": 2.0})
    assert planned(shop, settings) == planned(shop, settings)

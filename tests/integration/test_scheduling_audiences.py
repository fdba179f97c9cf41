"""Audiences on a real Postgres: what filters mean, whom each trigger finds and when, and the decisions that follow."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scheduling_shop import DATE, END_OF_DAY, LANDED, SEND_DATE, Shop, treated
from sqlalchemy import Engine, select, text

from include.audience_filter import COLUMNS, AudienceError, parse_filter
from include.business_time import start_of_day
from include.db import tables
from include.db.tables import LIFECYCLE_STAGES, SEGMENTS
from include.features import build_features
from include.scheduling import learn_responses, learn_send_times, schedule_messages
from include.scheduling.audience import Audience, audiences
from include.scheduling.campaigns import read_campaigns
from include.settings import Settings

MakeSettings = Callable[..., Settings]
START_OF_DAY = END_OF_DAY - timedelta(days=1)
HOUR = timedelta(hours=1)
_numbers = itertools.count(1)


@pytest.fixture
def shop(engine: Engine) -> Shop:
    return Shop(engine)


def profile(shop: Shop, customer_id: str, business_date: date = DATE, **fields: Any) -> None:
    """A row of customer_features."""
    defaults = {
        "business_date": business_date,
        "customer_id": customer_id,
        "frequency": 0,
        "monetary_value": 0,
        "preferred_categories": [],
        "active_hours": [],
        "segment": "regular",
    }
    shop.add(tables.customer_features, defaults | fields)


def event(shop: Shop, customer_id: str, event_type: str, at: datetime, item_id: str | None = "i") -> str:
    event_id = f"event-{next(_numbers)}"
    fields = {"event_id": event_id, "event_type": event_type, "customer_id": customer_id, "occurred_at": at}
    shop.add(tables.events, {**fields, "item_id": item_id, "quantity": 1, "unit_price": 1, **LANDED})
    return event_id


def item(shop: Shop, business_date: date, item_id: str = "i", **fields: Any) -> None:
    """A row of item_features."""
    defaults = {"business_date": business_date, "item_id": item_id, "buyers": 0, "purchase_days": 0, "popularity": 0}
    shop.add(tables.item_features, defaults | fields)


def audience(shop: Shop, settings: Settings, business_date: date = DATE, **fields: Any) -> Audience:
    """Of a campaign with these fields."""
    shop.campaign("spring", **fields)
    with shop.engine.begin() as connection:
        campaigns = read_campaigns(connection, settings.scheduling, business_date + timedelta(days=1))
        found = audiences(connection, settings, campaigns, business_date)["spring"]
        connection.execute(tables.campaigns.delete())
    return found


def members(shop: Shop, settings: Settings, business_date: date = DATE, **fields: Any) -> set[str]:
    found = audience(shop, settings, business_date, **fields)
    rows = shop.rows(
        "select customer_id from marketing.customer_features where business_date = :day", day=business_date
    )
    ids = sorted(row["customer_id"] for row in rows)
    assert found.verdicts.shape == (len(ids),)
    return {customer_id for customer_id, is_in in zip(ids, found.members, strict=True) if is_in}


# --- filters ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(shop: Shop) -> Shop:
    """Three customers: one of whom much is known, one of whom nothing is, one in between."""
    profile(
        shop, "known", recency=40, frequency=3, churn_probability=0.7, segment="loyal",
        preferred_categories=["Coffee", "Tea"], price_band="low", monetary_value="19.90",
    )  # fmt: skip
    profile(shop, "between", recency=10, frequency=1, preferred_categories=["Tea"])
    profile(shop, "unknown")
    shop.add(tables.customers, {"customer_id": "known", "country": "DE", "time_zone": "Europe/Berlin", **LANDED})
    shop.add(tables.customers, {"customer_id": "between", "country": "US", **LANDED})
    return shop


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (
            'recency >= 30 and churn_probability > 0.5 and segment in ["loyal"] and "Coffee" in preferred_categories',
            "k",
        ),
        ("5 < recency <= 10", "b"),
        ("recency == 10 or recency == 40", "kb"),
        ("recency in [10, 40.0, 5000000000]", "kb"),
        ("recency < 10.5", "b"),
        ("monetary_value == 19.9", "k"),
        ("frequency > -1", "kbu"),
        ("recency > frequency", "kb"),
        ("recency is None", "u"),
        ("recency is not None", "kb"),
        ("preferred_categories is None", "u"),
        ("'Coffee' not in preferred_categories", "bu"),
        ("country in preferred_categories or price_band == 'low'", "k"),
        ("country == 'DE'", "k"),
        ("country != 'DE'", "b"),
        ("time_zone not in ['Europe/Paris']", "k"),
        # What is not known satisfies no comparison, nor does not before it make it so.
        ("recency > 20", "k"),
        ("not recency > 20", "b"),
        ("not not recency > 20", "k"),
        ("not (recency > 20 and frequency > 2)", "bu"),
        ("not (churn_probability > 0.5 and recency > 20)", "b"),
        ("recency > 20 or recency is None", "ku"),
        ("churn_probability > 0.9 or recency == 10", "b"),
    ],
)
def test_what_a_filter_means(crowd: Shop, settings: Settings, text: str, meant: str) -> None:
    found = members(crowd, settings, audience_filter=text)
    assert {customer_id[0] for customer_id in found} == set(meant)


def test_segments_and_filter_must_both_hold_and_the_sentence_tells_which_does_not(
    crowd: Shop, settings: Settings
) -> None:
    found = audience(crowd, settings, audience=["loyal", "new"], audience_filter="recency >\n  50")
    assert [found.sentences[verdict] for verdict in found.verdicts.tolist()] == [
        "The campaign is for loyal, new; the customer's segment is another.",
        "The campaign is for customers with recency > 50; this one is not, as far as is known.",
        "The campaign is for loyal, new; the customer's segment is another.",
    ]
    assert members(crowd, settings, audience=[], audience_filter=" ") == {"known", "between", "unknown"}


def test_no_features_no_audience(shop: Shop, settings: Settings) -> None:
    assert audience(shop, settings, audience_filter="recency > 1").verdicts.shape == (0,)


def test_places_count_ids_byte_by_byte(shop: Shop, settings: Settings) -> None:
    for number, name in enumerate(("é", "b", "Z", "_", "a b", "a-c", "𝄞", "ﬀ")):
        profile(shop, name, recency=number)
        if number in (1, 5, 7):
            event(shop, name, "add_to_cart", END_OF_DAY - 5 * HOUR)
    assert members(shop, settings, audience_filter="recency >= 4") == {"a b", "a-c", "𝄞", "ﬀ"}
    assert members(shop, settings, audience_filter="recency >= 4", trigger="abandoned_cart") == {"a-c", "ﬀ"}


NAMES = st.sampled_from([*COLUMNS, "recencyy", "customer_id", "email", "None", "True"])
CONSTANTS = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.text(max_size=8).map(repr),
    st.sampled_from([repr(value) for value in (*SEGMENTS, *LIFECYCLE_STAGES, "Coffee", "'); drop table x; --", "%s")]),
    st.lists(st.integers(-(10**16), 10**16) | st.floats(), max_size=3).map(repr),
    st.lists(st.text(max_size=3), max_size=3).map(repr),
)
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not", "=", "+"])


def _larger(filters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(filters, st.sampled_from([" and ", " or ", "\nand "]), filters).map("".join),
        filters.map("not {}".format),
        filters.map("({})".format),
    )


COMPARED = st.one_of(
    st.tuples(NAMES | CONSTANTS, OPERATORS, NAMES | CONSTANTS).map(" ".join),
    st.tuples(NAMES | CONSTANTS, OPERATORS, NAMES, OPERATORS, NAMES | CONSTANTS).map(" ".join),
    st.tuples(
        st.sampled_from(["recency", "frequency", "monetary_value", "churn_probability"]),
        st.sampled_from(["==", "!=", "<", ">="]),
        st.integers(-(10**15), 10**15).map(str) | st.floats(-1e15, 1e15).map(repr),
    ).map(" ".join),
    st.tuples(st.text(max_size=8).map(repr), st.sampled_from(["in", "not in"]), st.just("devices")).map(" ".join),
)
FILTERS = st.recursive(COMPARED, _larger, max_leaves=12) | st.text(max_size=60)


def test_any_text_is_refused_or_asks_and_changes_nothing(crowd: Shop) -> None:
    understood = 0
    with crowd.engine.connect() as connection:
        connection.execute(text("set transaction read only"))
        before = connection.execute(text("select count(*) from marketing.customers")).scalar_one()

        @example("recency > 1); drop table marketing.customers; --")
        @example("recency in [9223372036854775808000]")
        @example("recency == 1e-300 or recency > 1e15")
        @given(FILTERS)
        @hypothesis_settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
        def holds(filter_text: str) -> None:
            nonlocal understood
            try:
                understood_filter = parse_filter(filter_text)
            except AudienceError:
                return
            understood += 1
            query = (
                select(understood_filter.expression)
                .select_from(
                    tables.customer_features.outerjoin(
                        tables.customers, tables.customers.c.customer_id == tables.customer_features.c.customer_id
                    )
                )
                .where(tables.customer_features.c.business_date == DATE)
            )
            answers = connection.execute(query).scalars().all()
            assert len(answers) == 3
            assert set(answers) <= {True, False}

        holds()
        assert connection.execute(text("select count(*) from marketing.customers")).scalar_one() == before
    assert understood > 200


# --- triggers --------------------------------------------------------------------------------------------------------


def test_welcome(shop: Shop, settings: Settings) -> None:
    first = START_OF_DAY - timedelta(days=6)
    for name, created_at in (("first", first), ("last", END_OF_DAY - timedelta(seconds=1))):
        shop.add(tables.customers, {"customer_id": name, "created_at": created_at, **LANDED})
    for name, created_at in (("before", first - timedelta(seconds=1)), ("after", END_OF_DAY)):
        shop.add(tables.customers, {"customer_id": name, "created_at": created_at, **LANDED})
    for name in ("first", "last", "before", "after", "seen", "old"):
        profile(shop, name)
    assert members(shop, settings, trigger="welcome") == {"first", "last"}, "nothing earlier says who was seen first"
    profile(shop, "old", DATE - timedelta(days=20))
    profile(shop, "seen", DATE - timedelta(days=6))
    assert members(shop, settings, trigger="welcome") == {"first", "last", "seen"}
    profile(shop, "seen", DATE - timedelta(days=7))
    assert members(shop, settings, trigger="welcome") == {"first", "last", "old"}, "by the newest date before the days"


def test_abandoned_cart(shop: Shop, settings: Settings) -> None:
    earliest = END_OF_DAY - timedelta(hours=48)
    for name, at in (
        ("earliest", earliest),
        ("before", earliest - timedelta(seconds=1)),
        ("at rest", END_OF_DAY - HOUR),
        ("moving", END_OF_DAY - HOUR + timedelta(seconds=1)),
        ("after", END_OF_DAY),
        ("bought", earliest + HOUR),
        ("bought other", earliest + HOUR),
        ("bought before", earliest + 2 * HOUR),
        ("set aside", earliest + HOUR),
        ("gone", earliest + HOUR),
    ):
        profile(shop, name)
        event_id = event(shop, name, "add_to_cart", at, "gone" if name == "gone" else "i")
        if name == "set aside":
            shop.add(tables.feature_exclusions, {"event_id": event_id, "utc_day": at.date()})
    event(shop, "bought", "purchase", earliest + 2 * HOUR)
    event(shop, "bought other", "purchase", earliest + 2 * HOUR, "other")
    event(shop, "bought before", "purchase", earliest + HOUR)
    item(shop, DATE, "gone", in_stock=False)
    assert members(shop, settings, trigger="abandoned_cart") == {"earliest", "at rest", "bought other", "bought before"}


def test_the_newest_occasion_leads(shop: Shop, settings: Settings) -> None:
    profile(shop, "a")
    profile(shop, "b")
    for hours, item_id in ((20, "i9"), (10, "i2"), (10, "i1")):
        event(shop, "b", "add_to_cart", END_OF_DAY - hours * HOUR, item_id)
    found = audience(shop, settings, trigger="abandoned_cart")
    assert found.items == {1: "i1"}
    assert found.sentences[int(found.verdicts[0])] == (
        "The campaign is for customers who left something in the cart in the last 48 hours; this one did not, or has "
        "had its message."
    )


def test_an_occasion_calls_once(shop: Shop, settings: Settings) -> None:
    cart = END_OF_DAY - 20 * HOUR
    profile(shop, "a")
    event(shop, "a", "add_to_cart", cart)
    for days, fields in enumerate(
        (
            {"campaign_id": "spring", "send_at": cart - HOUR},
            {"campaign_id": "another", "send_at": cart + HOUR},
            {"campaign_id": "spring", "send_at": cart + 2 * HOUR, "state": "expired", "sent_at": None},
            {"campaign_id": "spring", "send_at": cart + 3 * HOUR, "business_date": DATE},
        )
    ):
        shop.message("a", send_date=DATE - timedelta(days=days + 1), **fields)
        assert members(shop, settings, trigger="abandoned_cart") == {"a"}, fields
    shop.message("a", send_at=cart + 4 * HOUR, campaign_id="spring", state="planned", sent_at=None)
    assert members(shop, settings, trigger="abandoned_cart") == set()
    event(shop, "a", "add_to_cart", cart + 5 * HOUR, "other")
    assert audience(shop, settings, trigger="abandoned_cart").items == {0: "other"}


def test_lapsed(shop: Shop, settings: Settings) -> None:
    for name, stages in {
        "became": {8: "at_risk", 7: "at_risk", 1: "lapsed", 0: "lapsed"},
        "today": {7: "active", 1: "at_risk", 0: "lapsed"},
        "long ago": {8: "at_risk", 7: "lapsed", 1: "lapsed", 0: "lapsed"},
        "not yet": {7: "active", 0: "at_risk"},
        "never known": {0: "lapsed"},
    }.items():
        for days, stage in stages.items():
            profile(shop, name, DATE - timedelta(days=days), lifecycle_stage=stage)
    assert members(shop, settings, trigger="lapsed") == {"became", "today"}
    # What began at the end of the last date they were not.
    shop.message("today", send_at=START_OF_DAY - HOUR, campaign_id="spring")
    shop.message("became", send_at=START_OF_DAY - timedelta(days=6) + HOUR, campaign_id="spring")
    assert members(shop, settings, trigger="lapsed") == {"today"}


def test_lapsed_in_the_first_nights_compares_with_the_first(shop: Shop, settings: Settings) -> None:
    profile(shop, "a", lifecycle_stage="lapsed")
    assert members(shop, settings, trigger="lapsed") == set()
    profile(shop, "a", DATE - timedelta(days=1), lifecycle_stage="at_risk")
    assert members(shop, settings, trigger="lapsed") == {"a"}


@pytest.mark.parametrize(
    ("trigger", "before", "after"),
    [
        ("back_in_stock", {"in_stock": False}, {"in_stock": True}),
        ("price_drop", {"list_price": 10}, {"list_price": 9}),
    ],
)
def test_an_item_that_came_back_or_became_cheaper(
    shop: Shop, settings: Settings, trigger: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    first = start_of_day(DATE - timedelta(days=29), settings.business_time_zone)
    for name in ("viewed", "carted", "first", "too early", "too late", "clicked", "bought", "bought before"):
        profile(shop, name)
    event(shop, "viewed", "view", START_OF_DAY - timedelta(seconds=1))
    event(shop, "carted", "add_to_cart", first + HOUR)
    event(shop, "first", "view", first)
    event(shop, "too early", "view", first - timedelta(seconds=1))
    event(shop, "too late", "view", START_OF_DAY)
    event(shop, "clicked", "search", START_OF_DAY - HOUR)
    for name, bought_at in (("bought", END_OF_DAY - HOUR), ("bought before", START_OF_DAY - 3 * HOUR)):
        event(shop, name, "view", START_OF_DAY - 2 * HOUR)
        event(shop, name, "purchase", bought_at)
    meant = {"viewed", "carted", "first", "bought before"}

    item(shop, DATE, **after)
    assert members(shop, settings, trigger=trigger) == set(), "no past"
    item(shop, DATE - timedelta(days=4), **before)
    assert members(shop, settings, trigger=trigger) == set(), "too long ago"
    item(shop, DATE - timedelta(days=1), **before)
    assert members(shop, settings, trigger=trigger) == meant
    assert set(audience(shop, settings, trigger=trigger).items.values()) == {"i"}
    shop.message("viewed", send_at=START_OF_DAY + HOUR, campaign_id="spring")
    shop.message("carted", send_at=START_OF_DAY - HOUR, campaign_id="spring")
    assert members(shop, settings, trigger=trigger) == meant - {"viewed"}


@pytest.mark.parametrize(
    ("trigger", "before", "after"),
    [
        ("back_in_stock", {"in_stock": None}, {"in_stock": True}),
        ("back_in_stock", {"in_stock": False}, {"in_stock": None}),
        ("back_in_stock", {"in_stock": True}, {"in_stock": True}),
        ("price_drop", {"list_price": 10}, {"list_price": "9.01"}),
        ("price_drop", {"list_price": None}, {"list_price": 9}),
        ("price_drop", {"list_price": 10}, {"list_price": 9, "in_stock": False}),
        ("price_drop", {"list_price": 10}, {"list_price": 0}),
    ],
)
def test_no_occasion(
    shop: Shop, settings: Settings, trigger: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    profile(shop, "a")
    event(shop, "a", "view", START_OF_DAY - HOUR)
    item(shop, DATE - timedelta(days=1), **before)
    item(shop, DATE, **after)
    assert members(shop, settings, trigger=trigger) == set()


def test_replenishment_due(shop: Shop, make_settings: MakeSettings) -> None:
    shop.add(tables.items, *({"item_id": name, "category": "Coffee", **LANDED} for name in ("i", "j")))
    noon = END_OF_DAY - 12 * HOUR
    for name, days, items in (
        ("due today", (20, 15, 10, 5), "iiii"),
        ("due in three", (27, 17, 7), "iii"),
        ("due three ago", (23, 13), "ii"),
        ("overdue", (33, 23, 13), "iii"),
        ("twice", (10, 5), "ii"),
        ("bought again", (20, 15, 10, 5, 0), "iiiii"),
        ("of a category", (15, 10, 5), "ijj"),
        ("due two days ago", (22, 12, 12), "iij"),
    ):
        for day, item_id in zip(days, items, strict=True):
            event(shop, name, "purchase", noon - timedelta(days=day), item_id)
    with shop.engine.begin() as connection:
        # As landing notes the days it touched.
        connection.execute(
            text(
                "insert into marketing.changed_event_days (utc_day, file_id)"
                " select distinct cast(occurred_at at time zone 'UTC' as date), 1 from marketing.events"
            )
        )
    settings = make_settings()
    build_features(shop.engine, settings, business_date=DATE)
    assert members(shop, settings, trigger="replenishment_due") == {"due today"}
    by_category = make_settings(scheduling={"triggers": {"replenishment_of": "category"}})
    assert members(shop, by_category, trigger="replenishment_due") == {"due today", "of a category"}
    assert set(audience(shop, by_category, trigger="replenishment_due").items.values()) == {"i", "j"}
    twice = make_settings(scheduling={"triggers": {"replenishment_purchases": 2}})
    assert members(shop, twice, trigger="replenishment_due") == {
        "due today",
        "twice",
        "due two days ago",
        "of a category",
    }


# --- decisions -------------------------------------------------------------------------------------------------------


def test_the_night_keeps_to_the_audience_and_the_occasion_leads_the_message(
    shop: Shop, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(scheduling={"content_exploration": 0})
    shop.campaign("cart", audience=["regular"], audience_filter="frequency >= 1", trigger="abandoned_cart")
    ids = [treated(prefix, "cart") for prefix in ("a", "b", "c")]
    for customer_id in ids:
        shop.customer(customer_id, segment="new" if customer_id == ids[2] else "regular")
    for customer_id, item_id in ((ids[0], "item-3"), (ids[2], "item-3")):
        event(shop, customer_id, "add_to_cart", END_OF_DAY - 5 * HOUR, item_id)
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)
    decisions = shop.decisions()
    assert [decisions["cart", customer_id]["decision"] for customer_id in ids] == [
        "scheduled",
        "not_in_audience",
        "not_in_audience",
    ]
    assert decisions["cart", ids[1]]["reason"].startswith("The campaign is for customers who left something")
    assert decisions["cart", ids[2]]["reason"].startswith("The campaign is for regular;")
    [message] = shop.messages()
    assert [entry["item_id"] for entry in message["content"]["items"]] == ["item-3", "item-1", "item-2", "item-4"]
    called = {"item_id": "item-3", "strategy": "abandoned_cart", "reason_item_id": None, "propensity": 1}
    assert message["content"]["items"][0] == called
    again = shop.fingerprint("message_decisions"), shop.fingerprint("messages")
    schedule_messages(shop.engine, settings, business_date=DATE)
    assert (shop.fingerprint("message_decisions"), shop.fingerprint("messages")) == again


@pytest.mark.parametrize(("items_per_message", "margins"), [(1, [500, 500]), (3, [500, (500 + 5 + 5) / 3])])
def test_a_message_is_worth_what_is_in_it(
    shop: Shop, settings: Settings, items_per_message: int, margins: list[float]
) -> None:
    shop.items(price=10, margin_rate=0.5)
    shop.add(tables.items, {"item_id": "watch", "price": 1000, "margin_rate": 0.5, **LANDED})
    shop.campaign("cart", trigger="abandoned_cart", items_per_message=items_per_message)
    ids = [treated(prefix, "cart") for prefix in ("a", "b")]
    for customer_id, purposes in zip(ids, ((), ("next_purchase",)), strict=True):
        shop.customer(customer_id, purposes=purposes)
        event(shop, customer_id, "add_to_cart", END_OF_DAY - 5 * HOUR, "watch")
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)
    rows = [shop.decisions()["cart", customer_id] for customer_id in ids]
    assert [row["decision"] for row in rows] == ["scheduled", "scheduled"], "a cart is something to say without a list"
    assert [row["value_terms"]["margin"] for row in rows] == [pytest.approx(margin) for margin in margins]


def test_all_faults_of_all_campaigns_are_told_together(shop: Shop, settings: Settings) -> None:
    shop.campaign("spring", audience_filter="recencyy > 3", trigger="birthday", daily_budget=-1)
    shop.campaign("summer", audience_filter='recency > "x"', purpose="gift")
    shop.campaign("winter", audience_filter="recency > 3", trigger="welcome", daily_budget=10)
    shop.campaign("ended", audience_filter="(", ends_on=SEND_DATE - timedelta(days=1))
    with shop.engine.connect() as connection, pytest.raises(ValueError, match="campaign spring") as error:
        read_campaigns(connection, settings.scheduling, SEND_DATE)
    for part in (
        "campaign spring: audience_filter cannot be understood: at character 1: there is no column recencyy; did you",
        "campaign spring: unknown trigger 'birthday' (known: welcome, ",
        "campaign spring: daily_budget is -1",
        "campaign summer: audience_filter cannot be understood: at character 11: recency is a number of days; 'x' is a",
        "campaign summer: unknown purpose 'gift'",
        "Mend the row in the landing file of campaigns and load it again",
    ):
        assert part in str(error.value)
    assert "winter" not in str(error.value)
    assert "ended" not in str(error.value)

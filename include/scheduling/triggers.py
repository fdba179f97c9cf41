"""Occasions in customers' lives that a campaign may wait for: an abandoned cart, a price that fell, and the like.

Each is a statement in ``sql/<trigger>.sql`` that gives (customer_id, item_id or null, since), as of the end of a
business date, from events that the quality gate has not set aside.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, DateTime, Select, Subquery, Text, column, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from include.business_time import day_bounds, start_of_day
from include.db.sql import statement
from include.db.tables import EVENT_TYPES, customer_features
from include.settings import Settings, TriggerSettings

ROWS_AT_ONCE = 50_000


def open_occasions(
    connection: Connection, settings: Settings, campaign_id: str, trigger: str, business_date: date
) -> dict[int, str | None]:
    """The item of each customer's newest open occasion, by the customer's place.

    A place counts the customers of ``customer_features`` of the date from 0, by id, byte by byte. The item is None
    where the occasion has none. An occasion is open until the campaign's next message to the customer: whoever got one
    after it began, on an earlier night, is not in again for it.
    """
    rows = connection.execute(
        _occasions(trigger, business_date),
        _bounds(settings, business_date) | {"campaign_id": campaign_id},
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    return {row.place: row.item_id for row in rows}


def trigger_words(trigger: str, triggers: TriggerSettings) -> str:
    """Completes: the campaign is for customers ..."""
    return {
        "welcome": f"who came in the last {triggers.welcome_days} days",
        "abandoned_cart": f"who left something in the cart in the last {triggers.abandoned_cart_hours} hours",
        "lapsed": f"who lapsed in the last {triggers.lapsed_days} days",
        "back_in_stock": f"who looked at what came back into stock in the last {triggers.item_days} days",
        "price_drop": f"who looked at what became {triggers.price_drop_share:.0%} cheaper or more in the last "
        f"{triggers.item_days} days",
        "replenishment_due": f"who were due to buy something again in the last {triggers.replenishment_days} days",
    }[trigger]


def _occasions(trigger: str, business_date: date) -> Select[Any]:
    """One row per customer of the date with an open occasion: the newest, of several items the first by id."""
    occasions = (
        statement(__file__, trigger)
        .columns(column("customer_id", Text), column("item_id", Text), column("since", DateTime(timezone=True)))
        .subquery("occasions")
    )
    answers = (
        statement(__file__, "latest_messages")
        .columns(column("customer_id", Text), column("at", DateTime(timezone=True)))
        .subquery("answers")
    )
    numbered = _numbered_customers(business_date)
    return (
        select(numbered.c.place, occasions.c.item_id)
        .ext(distinct_on(numbered.c.place))
        .select_from(
            numbered.join(occasions, numbered.c.customer_id == occasions.c.customer_id).outerjoin(
                answers, answers.c.customer_id == occasions.c.customer_id
            )
        )
        .where(or_(answers.c.at.is_(None), answers.c.at <= occasions.c.since))
        .order_by(numbered.c.place, occasions.c.since.desc(), occasions.c.item_id.collate("C"))
    )


def _numbered_customers(business_date: date) -> Subquery:
    row_number = func.row_number(type_=BigInteger).over(order_by=customer_features.c.customer_id.collate("C"))
    return (
        select(customer_features.c.customer_id, (row_number - 1).label("place"))
        .where(customer_features.c.business_date == business_date)
        .subquery("numbered")
    )


def _bounds(settings: Settings, business_date: date) -> dict[str, Any]:
    """The bound values of all statements; each takes what it names. The first of N days is N - 1 before the date."""
    triggers, zone = settings.scheduling.triggers, settings.business_time_zone
    end_of_day = day_bounds(business_date, zone)[1]

    def first_of(days: int) -> date:
        return business_date - timedelta(days=days - 1)

    return {
        "business_date": business_date,
        "business_time_zone": zone,
        "end_of_day": end_of_day,
        "welcome_from_date": first_of(triggers.welcome_days),
        "welcome_from": start_of_day(first_of(triggers.welcome_days), zone),
        "cart_from": end_of_day - timedelta(hours=triggers.abandoned_cart_hours),
        "cart_until": end_of_day - timedelta(hours=triggers.abandoned_cart_rest_hours),
        # The state at the end of the day before the first of them is the former one.
        "lapsed_from_date": first_of(triggers.lapsed_days + 1),
        "interest_from": start_of_day(first_of(triggers.interest_days), zone),
        "item_from_date": first_of(triggers.item_days + 1),
        "price_drop_share": triggers.price_drop_share,
        "replenishment_of": triggers.replenishment_of,
        "replenishment_purchases": triggers.replenishment_purchases,
        "replenishment_from_date": first_of(triggers.replenishment_history_days),
        "due_from": start_of_day(first_of(triggers.replenishment_days), zone),
        "purchase_no": EVENT_TYPES.index("purchase") + 1,
    }

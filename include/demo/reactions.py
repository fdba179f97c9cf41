"""Invented reactions to messages: nobody reads the demo's mail, so chance does.

Everything here is made up, from seeds, and every row says ``generated``. The clicks, orders and the gain they show are
therefore put in, not found: they let the reports, the suppressions and the learning of send times be seen at work and
prove nothing about real people. What households buy without being written to is real (``journey``).

A household answers best around an hour of its own (morning, midday or evening), better on push than by email, and
better the more of the message's items lie in its favourite categories. Rates are near a retailer's (see
``EMAIL_OPEN_RATE`` and following) with two exceptions, without which three nights would show almost nothing:
``CLICK_RATE`` is about four times the usual 1.1%, and a click leads to an order in a quarter of the cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from sqlalchemy import Engine, text

from include.db.sql import statement
from include.demo.chance import generator, share_of

TIME_ZONE = "America/New_York"
CLICK_RATE = 0.045
"""Of a message with half of its items in favourite categories, at a middling hour."""
EMAIL_OPEN_RATE = 0.093
"""By people; as many again by machines, within seconds: 18.6% in all."""
MACHINE_OPEN_RATE = 0.093
UNSUBSCRIBE_RATE = 0.0022
COMPLAINT_RATE = 0.0002
HARD_BOUNCE_RATE = 0.0070
SOFT_BOUNCE_RATE = 0.0023
ORDER_RATE = 0.25
"""Of clicks."""
CLICK_DELAY_HOURS, CLICK_DELAY_SIGMA = 2.1, 2.19
"""Median and spread of the lognormal delay of a click: its mean is 23 hours."""
ORDER_DELAY_HOURS, ORDER_DELAY_SIGMA = 3.0, 1.0
LONGEST_DELAY = timedelta(days=7)
SHORTEST_DELAY = timedelta(seconds=40)
"""No person is faster; machines are."""
PUSH_FACTOR = 1.3
HOUR_STRENGTH = 0.8
PEAK_HOURS = ((8, 0.30), (12.5, 0.25), (19.5, 0.45))
"""Hours of the day that households answer best around, with the share of households."""

MACHINE_AGENTS = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0",
)
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
PEOPLE_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 11_1 like Mac OS X) AppleWebKit/604.3.5 (KHTML, like Gecko) Mobile/15B150",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/62.0.3202.94 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 8.0.0; Pixel 2) {_WEBKIT} Chrome/62.0 Mobile Safari/537.36",
)
ENGAGEMENT_COLUMNS = (
    "message_id",
    "campaign_id",
    "customer_id",
    "engagement_type",
    "occurred_at",
    "user_agent",
    "bounce_type",
)
PURCHASE_COLUMNS = (
    "event_id",
    "event_type",
    "customer_id",
    "occurred_at",
    "item_id",
    "quantity",
    "unit_price",
    "order_id",
    "message_id",
)
APP_AGENT = "JourneyApp/3.2 (Android 8.0.0)"


@dataclass(frozen=True)
class Sent:
    """A message that was sent, as far as a reaction may depend on it."""

    message_id: str | None
    """None: a former tool's, known by campaign and customer alone."""
    campaign_id: str
    customer_id: str
    channel: str
    sent_at: datetime
    fit: float
    """Share of its items in the customer's favourite categories."""
    item_ids: tuple[str, ...] = ()
    prices: tuple[Any, ...] = ()


@dataclass
class Reactions:
    """Rows of the landing tables engagements and events, by column name; instants are aware."""

    engagements: list[dict[str, Any]] = field(default_factory=list)
    purchases: list[dict[str, Any]] = field(default_factory=list)


def reactions_to(sent: list[Sent]) -> Reactions:
    """What the recipients do; each message's own identity is its seed, so order and company do not matter."""
    reactions = Reactions()
    for message in sent:
        _react(message, reactions)
    return reactions


def history_reactions(message_history: pd.DataFrame) -> pd.DataFrame:
    """Reactions to a former tool's sends; without orders, since what its recipients bought is in the real purchases."""
    sent = [
        Sent(None, campaign_id, customer_id, channel, datetime.fromisoformat(sent_at), fit=0.5)
        for campaign_id, customer_id, channel, sent_at in zip(
            *(message_history[name] for name in ("campaign_id", "customer_id", "channel", "sent_at")), strict=True
        )
    ]
    # Without bounces and the like: who was lost to the former tool is not in the shop's lists any more.
    kept = ("delivered", "open", "click")
    return engagement_frame([row for row in reactions_to(sent).engagements if row["engagement_type"] in kept])


def sent_messages(engine: Engine, send_date: date) -> list[Sent]:
    """The messages sent on ``send_date``, in order of their ids."""
    with engine.begin() as connection:
        # Filled a moment ago: planned by what was known of them before, the query takes a hundred times as long.
        connection.execute(text("analyze marketing.messages, marketing.customer_features"))
        rows = connection.execute(statement(__file__, "sent_messages"), {"send_date": send_date}).all()
    return [
        Sent(
            row.message_id, row.campaign_id, row.customer_id, row.channel, row.sent_at, row.fit,
            tuple(row.item_ids), tuple(row.prices),
        )
        for row in rows
    ]  # fmt: skip


def engagement_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a landing file's columns, in order of time."""
    frame = pd.DataFrame(rows, columns=list(ENGAGEMENT_COLUMNS)).sort_values(
        ["occurred_at", "campaign_id", "customer_id"], kind="stable"
    )
    return _with_text_instants(frame)


def purchase_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a landing file's columns, in order of time."""
    frame = pd.DataFrame(rows, columns=list(PURCHASE_COLUMNS)).sort_values(["occurred_at", "event_id"], kind="stable")
    return _with_text_instants(frame)


def by_local_date(rows: list[dict[str, Any]]) -> dict[date, list[dict[str, Any]]]:
    """Rows by the shop's day on which they occurred: the folder they land in."""
    days: dict[date, list[dict[str, Any]]] = {}
    for row in rows:
        days.setdefault(row["occurred_at"].astimezone(ZoneInfo(TIME_ZONE)).date(), []).append(row)
    return days


def click_probability(message: Sent) -> float:
    """By the household's own hour, the channel and the fit of the items."""
    local = message.sent_at.astimezone(ZoneInfo(TIME_ZONE))
    distance = 2 * np.pi * (local.hour + local.minute / 60 - peak_hour(message.customer_id)) / 24
    factor = np.exp(HOUR_STRENGTH * np.cos(distance)) * (0.6 + 0.8 * message.fit)
    return float(min(CLICK_RATE * factor * (PUSH_FACTOR if message.channel == "app_push" else 1.0), 0.5))


def peak_hour(customer_id: str) -> float:
    """The invented hour (of the local clock) around which this household answers best."""
    place = share_of("peak hour", customer_id)
    for hour, share in PEAK_HOURS:
        if place < share:
            return float(hour)
        place -= share
    return float(PEAK_HOURS[-1][0])


def _react(message: Sent, reactions: Reactions) -> None:
    chance = generator("reaction", message.message_id or "", message.campaign_id, message.customer_id, message.sent_at)
    # All draws are made in any case, so that one outcome does not shift the others.
    bounce, opens, machine, click, unsubscribe, complaint, order = chance.random(7)
    agent = PEOPLE_AGENTS[chance.integers(len(PEOPLE_AGENTS))]
    machine_agent = MACHINE_AGENTS[chance.integers(len(MACHINE_AGENTS))]
    delivered_at = message.sent_at + timedelta(seconds=int(chance.integers(1, 5)))
    machine_at = delivered_at + timedelta(seconds=int(chance.integers(1, 5)))
    reading_at = message.sent_at + _delay(chance, CLICK_DELAY_HOURS, CLICK_DELAY_SIGMA)
    ordered_at = reading_at + _delay(chance, ORDER_DELAY_HOURS, ORDER_DELAY_SIGMA)
    by_email = message.channel == "email"

    def add(kind: str, occurred_at: datetime, user_agent: str | None = None, bounce_type: str | None = None) -> None:
        reactions.engagements.append(
            {
                "message_id": message.message_id,
                "campaign_id": message.campaign_id,
                "customer_id": message.customer_id,
                "engagement_type": kind,
                "occurred_at": occurred_at.astimezone(UTC),
                "user_agent": user_agent,
                "bounce_type": bounce_type,
            }
        )

    if by_email and bounce < HARD_BOUNCE_RATE + SOFT_BOUNCE_RATE:
        add("bounce", machine_at, bounce_type="hard" if bounce < HARD_BOUNCE_RATE else "soft")
        return
    add("delivered", delivered_at)
    clicks = click < click_probability(message)
    if by_email and machine < MACHINE_OPEN_RATE:
        add("open", machine_at, machine_agent)
    if by_email and (clicks or opens < EMAIL_OPEN_RATE):
        add("open", reading_at, agent)
    if by_email and unsubscribe < UNSUBSCRIBE_RATE:
        add("unsubscribe", reading_at + timedelta(seconds=20), agent)
    if by_email and complaint < COMPLAINT_RATE:
        add("complaint", reading_at + timedelta(seconds=30))
    if clicks:
        add("click", reading_at + timedelta(seconds=10), agent if by_email else APP_AGENT)
        if order < ORDER_RATE:
            _order(message, chance, ordered_at, reactions)


def _order(message: Sent, chance: np.random.Generator, ordered_at: datetime, reactions: Reactions) -> None:
    """One or two of the message's items, at the catalogue's price."""
    count = min(int(chance.integers(1, 3)), len(message.item_ids))
    for place in sorted(chance.choice(len(message.item_ids), size=count, replace=False)) if count else ():
        reactions.purchases.append(
            {
                "event_id": f"generated-{message.message_id}-{place}",
                "event_type": "purchase",
                "customer_id": message.customer_id,
                "occurred_at": ordered_at.astimezone(UTC),
                "item_id": message.item_ids[place],
                "quantity": 1,
                "unit_price": message.prices[place],
                "order_id": f"generated-{message.message_id}",
                "message_id": message.message_id,
            }
        )


def _delay(chance: np.random.Generator, median_hours: float, sigma: float) -> timedelta:
    delay = timedelta(hours=float(chance.lognormal(np.log(median_hours), sigma)))
    # Whole seconds, as a tracker reports them.
    return timedelta(seconds=round(min(max(delay, SHORTEST_DELAY), LONGEST_DELAY).total_seconds()))


def _with_text_instants(frame: pd.DataFrame) -> pd.DataFrame:
    written: Callable[[datetime], str] = datetime.isoformat
    return frame.assign(occurred_at=frame["occurred_at"].map(written), generated=True)

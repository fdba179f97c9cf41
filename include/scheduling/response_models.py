"""Learn what all customers' responses to messages say: what a click is worth, and what one message more risks."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert, select

from include.business_time import day_bounds
from include.db.sql import statement
from include.db.tables import response_models
from include.scheduling.conversion import NOTHING, ClickCounts, Conversion
from include.scheduling.fatigue import (
    CELLS,
    MOST_RECENT,
    ChannelFatigue,
    Fatigue,
    Floats,
    click_factors,
    learn_curve,
    weekly_messages,
)
from include.scheduling.hour_model import PRIOR_RATE, PRIOR_SENDS
from include.scheduling.responses import looked_back_to
from include.settings import CHANNELS, Settings

logger = logging.getLogger(__name__)

FATIGUE, CONVERSION = "fatigue", "conversion"
REACTION_DAYS = 7
"""An unsubscribe or complaint answers a send within so many days, and sends are matured after them: complaints come
back through the mailbox provider, days later than clicks."""
USUAL_DAYS = 28
"""Of the shop's usual order and of the pace of messages."""
MOST_CLICKERS = 50_000
"""Customers per channel whom ``click_factors`` compares with themselves: more would hardly change it."""


@dataclass(frozen=True)
class ResponseSummary:
    """What ``learn_responses`` learned. Counts are decayed."""

    business_date: str
    matured_sends: float
    unsubscribed: float
    complained: float
    clicks: float
    """Clicked messages whose window for an order is over."""
    orders: float
    """Credited to them."""


def learn_responses(engine: Engine, settings: Settings, *, business_date: date) -> ResponseSummary:
    """Replace the rows of ``response_models`` of ``business_date``: subjects fatigue and conversion, by channel.

    As of the end of the date, from ``messages``, ``message_history``, ``engagements``, ``consents`` and purchases;
    machines' clicks never count, and a consent taken back after a message is an unsubscribe. Sends and clicks lose
    half their weight every ``scheduling.half_life_days``. Methods: ``conversion``, ``fatigue``. With no data at all
    the documented priors are written.
    """
    started = time.perf_counter()
    with engine.begin() as connection:
        bound = _bound(settings, business_date)
        connection.execute(statement(__file__, "create_response_sends"), bound)
        conversion, clicked = _learn_conversion(connection, settings, bound)
        fatigue = _learn_fatigue(connection, settings, bound, conversion)
        subjects = (FATIGUE, CONVERSION)
        of_date = response_models.c.business_date == business_date
        connection.execute(delete(response_models).where(of_date, response_models.c.subject.in_(subjects)))
        for channel in CHANNELS:
            known = fatigue.channels[channel].as_json() | {"horizon_days": fatigue.horizon_days}
            for subject, parameters in ((FATIGUE, known), (CONVERSION, conversion.as_json(channel))):
                row = {"business_date": business_date, "subject": subject, "channel": channel}
                connection.execute(insert(response_models).values(row | {"parameters": parameters}))
            logger.info("%s: %s", channel, _in_words(fatigue.channels[channel], conversion, channel))
    logger.info("Learnt responses in %.1f s", time.perf_counter() - started)
    known_channels = fatigue.channels.values()
    return ResponseSummary(
        business_date=business_date.isoformat(),
        matured_sends=round(sum(known.sends for known in known_channels), 3),
        unsubscribed=round(sum(known.unsubscribed for known in known_channels), 3),
        complained=round(sum(known.complained for known in known_channels), 3),
        clicks=round(clicked.clicks, 3),
        orders=round(clicked.orders, 3),
    )


def read_fatigue(connection: Connection, business_date: date) -> Fatigue:
    """As learned at the end of ``business_date``. Raises ValueError when it was not."""
    told = _read(connection, FATIGUE, business_date)
    horizon = {parameters.pop("horizon_days") for parameters in told.values()}
    return Fatigue({channel: ChannelFatigue.of_json(parameters) for channel, parameters in told.items()}, horizon.pop())


def read_conversion(connection: Connection, business_date: date) -> Conversion:
    """As learned at the end of ``business_date``. Raises ValueError when it was not."""
    return Conversion.of_json(_read(connection, CONVERSION, business_date))


def _read(connection: Connection, subject: str, business_date: date) -> dict[str, Any]:
    rows = connection.execute(
        select(response_models.c.channel, response_models.c.parameters).where(
            response_models.c.business_date == business_date, response_models.c.subject == subject
        )
    )
    told = {row.channel: row.parameters for row in rows}
    if missing := [channel for channel in CHANNELS if channel not in told]:
        raise ValueError(
            f"response_models has no {subject} of {', '.join(missing)} of {business_date}: "
            f"run learn_responses for {business_date} first"
        )
    return told


def _bound(settings: Settings, business_date: date) -> dict[str, Any]:
    end_of_day = day_bounds(business_date, settings.business_time_zone)[1]
    return {
        "end_of_day": end_of_day,
        "since": looked_back_to(end_of_day, settings.scheduling.half_life_days),
        "channels": list(CHANNELS),
        "most_recent": MOST_RECENT,
        "reaction_days": REACTION_DAYS,
        "usual_days": USUAL_DAYS,
        "most_clickers": MOST_CLICKERS,
        "email_days": settings.reporting.attribution_days_email,
        "push_hours": settings.reporting.attribution_hours_push,
        "default_margin_rate": settings.reporting.default_margin_rate,
    }


def _learn_conversion(
    connection: Connection, settings: Settings, bound: dict[str, Any]
) -> tuple[Conversion, ClickCounts]:
    counts: dict[tuple[str, str], ClickCounts] = defaultdict(lambda: NOTHING)
    for row in connection.execute(statement(__file__, "conversion_counts"), bound):
        weight = 0.5 ** (row.age_days / settings.scheduling.half_life_days)
        told = ClickCounts(weight * row.clicks, weight * float(row.orders), weight * float(row.margin))
        counts[row.campaign_id, row.channel] += told
    usual = connection.execute(statement(__file__, "usual_order"), bound).scalar()
    conversion = Conversion.learn(dict(counts), channels=CHANNELS, margin_per_order=float(usual or 0))
    return conversion, sum(counts.values(), NOTHING)


def _learn_fatigue(
    connection: Connection, settings: Settings, bound: dict[str, Any], conversion: Conversion
) -> Fatigue:
    sends, lost, unsubscribed, complained, clicked, squares = np.zeros((6, len(CHANNELS), CELLS))
    for row in connection.execute(statement(__file__, "reaction_counts"), bound):
        cell = CHANNELS.index(row.channel), row.recent
        weight = 0.5 ** (row.age_days / settings.scheduling.half_life_days)
        for total, count in (
            (sends, row.sends),
            (lost, row.lost),
            (unsubscribed, row.unsubscribed),
            (complained, row.complained),
            (clicked, row.clicked),
            (squares, weight * row.sends),
        ):
            total[cell] += weight * count
    factors = _read_click_factors(connection, bound)
    weekly = {row.channel: row for row in connection.execute(statement(__file__, "weekly_messages"), bound)}
    channels: dict[str, ChannelFatigue] = {}
    for number, channel in enumerate(CHANNELS):
        seen = float(sends[number].sum())
        # So many counts a decayed one is worth, by Kish's effective sample size.
        worth = seen / squares[number].sum() if seen else 1.0
        curve = learn_curve(worth * sends[number], worth * lost[number])
        click_rate = (float(clicked[number].sum()) + PRIOR_SENDS * PRIOR_RATE) / (seen + PRIOR_SENDS)
        pace = weekly.get(channel)
        channels[channel] = ChannelFatigue(
            curve.mean,
            curve.low,
            curve.high,
            factors[channel],
            value_per_message=click_rate * conversion.channels[channel].margin_per_click,
            messages_per_week=weekly_messages(
                pace.messages if pace else 0, pace.customers if pace else 0, USUAL_DAYS / 7
            ),
            sends=seen,
            unsubscribed=float(unsubscribed[number].sum()),
            complained=float(complained[number].sum()),
        )
    return Fatigue(channels, settings.scheduling.lost_address_days)


def _read_click_factors(connection: Connection, bound: dict[str, Any]) -> dict[str, Floats]:
    rows: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    for row in connection.execute(statement(__file__, "clicker_counts"), bound):
        rows[row.channel].append((row.place - 1, row.recent, row.sends, row.clicked))
    factors: dict[str, Floats] = {}
    for channel in CHANNELS:
        place, recent, sends, clicked = np.array(rows[channel], np.int64).reshape(-1, 4).T
        told = np.zeros((2, int(place.max(initial=-1)) + 1, CELLS), np.int64)
        told[:, place, recent] = sends, clicked
        factors[channel] = click_factors(*told)
    return factors


def _in_words(known: ChannelFatigue, conversion: Conversion, channel: str) -> str:
    return (
        f"a message loses the address with {known.lost[0]:.2%} after none in seven days, {known.lost[3]:.2%} after "
        f"three; a click brings {conversion.channels[channel].orders_per_click:.4f} orders"
    )

"""What is known of how customers responded to messages: sends and human clicks by channel, type of day and hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from include.business_time import day_bounds
from include.db.sql import statement
from include.scheduling.hour_model import DAY_TYPES, HOURS, Counts, Floats
from include.settings import CHANNELS, Settings

DAY_TYPE_NAMES = ("weekday", "weekend")
"""Saturday and Sunday of the customer's own calendar are the weekend."""


@dataclass(frozen=True)
class Responses:
    """customers: ids. segments: names in the order of their codes. counts: by channel."""

    features_date: date
    customers: pd.Index
    segments: list[str]
    counts: dict[str, Counts]


def day_type(day: date) -> int:
    """Which of ``DAY_TYPE_NAMES`` a calendar day is."""
    return int(day.weekday() >= 5)


def read_responses(connection: Connection, settings: Settings, business_date: date) -> Responses:
    """Of every customer of the latest ``customer_features`` up to ``business_date``, in the order of their ids.

    As of the end of the date: reward is a human click within 24 hours after sending, and only sends older than that
    count. Raises ValueError when there are no customer features up to ``business_date``.
    """
    people = _read_people(connection, business_date)
    segment, segments = people["segment"].factorize(sort=True)
    activity = _activity(people)
    sends, clicks, squares = _read_counts(connection, settings, people, business_date)
    counts: dict[str, Counts] = {}
    for number, channel in enumerate(CHANNELS):
        worth = float(sends[number].sum() / squares[number]) if squares[number] else 1.0
        counts[channel] = Counts(sends[number], clicks[number], segment.astype(np.int64), activity, worth)
    return Responses(people["business_date"].iloc[0], pd.Index(people["customer_id"]), list(segments), counts)


def _read_people(connection: Connection, business_date: date) -> pd.DataFrame:
    statement = text(
        """
        select business_date, customer_id, segment, active_hours from marketing.customer_features
        where business_date = (
            select max(business_date) from marketing.customer_features where business_date <= :business_date
        )
        order by customer_id collate "C"
        """
    )
    people = pd.DataFrame(connection.execute(statement, {"business_date": business_date}).mappings().all())
    if people.empty:
        raise ValueError(f"customer_features has no row up to {business_date}: run build_features for that date first")
    return people


def _activity(people: pd.DataFrame) -> Floats:
    """(customer, hour) shares of shop activity; zeros where the customer has none."""
    shares = np.zeros((len(people), HOURS))
    for row, hours in enumerate(people["active_hours"]):
        if len(hours) not in (0, HOURS):
            raise ValueError(
                f"customer_features.active_hours of customer {people['customer_id'].iloc[row]} on "
                f"{people['business_date'].iloc[row]} has {len(hours)} entries, not {HOURS}: run build_features again"
            )
        if hours:
            shares[row] = hours
    return shares


def _read_counts(
    connection: Connection, settings: Settings, people: pd.DataFrame, business_date: date
) -> tuple[Floats, Floats, Floats]:
    """Decayed sends and clicks of shape (channel, customer, day type, hour), and Σ weight² by channel."""
    bound = {
        "features_date": people["business_date"].iloc[0],
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
        "half_life_days": settings.scheduling.half_life_days,
        "default_zone": settings.customer_time_zone,
    }
    sends, clicks = np.zeros((2, len(CHANNELS), len(people), DAY_TYPES, HOURS))
    squares = np.zeros(len(CHANNELS))
    positions = {customer_id: position for position, customer_id in enumerate(people["customer_id"])}
    for row in connection.execute(statement(__file__, "matured_sends"), bound):
        if row.channel in CHANNELS:  # a former tool may have used letters or text messages
            number = CHANNELS.index(row.channel)
            cell = (number, positions[row.customer_id], int(row.is_weekend), row.hour)
            sends[cell], clicks[cell] = row.sends, row.clicks
            squares[number] += row.squares
    return sends, clicks, squares

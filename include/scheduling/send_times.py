"""Learn every customer's click rate by channel, day type and hour into ``send_time_profiles``."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, delete, text

from include.business_time import day_bounds
from include.db.copy import copy_in
from include.db.sql import statement
from include.db.tables import send_time_profiles
from include.scheduling.posterior import HOURS, Floats, Posterior, Strengths, fit
from include.settings import CHANNELS, Settings

logger = logging.getLogger(__name__)

DAY_TYPES = ("weekday", "weekend")
"""Saturday and Sunday of the customer's own calendar are the weekend."""


@dataclass(frozen=True)
class SendTimeSummary:
    """What ``learn_send_times`` did."""

    business_date: str
    customers: int
    profile_rows: int
    matured_sends: float
    """Decayed, as the posterior counts them."""
    clicks: float


def day_type(day: date) -> str:
    """Which of ``DAY_TYPES`` a calendar day is."""
    return DAY_TYPES[day.weekday() >= 5]


def learn_send_times(engine: Engine, settings: Settings, *, business_date: date) -> SendTimeSummary:
    """Replace ``send_time_profiles`` by the posterior click rates as of the end of ``business_date``.

    One row per customer of the latest ``customer_features`` × channel × day type × hour 0 to 23 in the customer's zone.
    Reward: a human click within 24 hours after sending; only sends older than that count. Hierarchy: see ``posterior``.
    Raises ValueError when there are no customer features up to ``business_date``.
    """
    started = time.perf_counter()
    with engine.begin() as connection:
        people = _read_customers(connection, business_date)
        sends, clicks = _read_counts(connection, settings, people, business_date)
        connection.execute(delete(send_time_profiles))
        rows = 0
        for position, channel in enumerate(CHANNELS):
            posterior = fit(
                sends[position],
                clicks[position],
                people["segment"].factorize(sort=True)[0],
                _active_hours(people),
                _strengths(settings),
            )
            rows += copy_in(connection, send_time_profiles, _profile_rows(people, channel, business_date, posterior))
    logger.info("Learnt send times of %s customers in %.1f s", len(people), time.perf_counter() - started)
    return SendTimeSummary(
        business_date=business_date.isoformat(),
        customers=len(people),
        profile_rows=rows,
        matured_sends=round(float(sends.sum()), 3),
        clicks=round(float(clicks.sum()), 3),
    )


def _strengths(settings: Settings) -> Strengths:
    scheduling = settings.scheduling
    return Strengths(scheduling.segment_strength, scheduling.level_strength, scheduling.customer_strength)


def _read_customers(connection: Connection, business_date: date) -> pd.DataFrame:
    """One row per customer of the latest features up to ``business_date``, by id."""
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


def _active_hours(people: pd.DataFrame) -> Floats:
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
) -> tuple[Floats, Floats]:
    """Decayed sends and clicks of shape (channel, customer, day type, hour)."""
    bound = {
        "features_date": people["business_date"].iloc[0],
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
        "half_life_days": settings.scheduling.half_life_days,
        "default_zone": settings.customer_time_zone,
    }
    sends, clicks = np.zeros((2, len(CHANNELS), len(people), len(DAY_TYPES), HOURS))
    positions = {customer_id: position for position, customer_id in enumerate(people["customer_id"])}
    for row in connection.execute(statement(__file__, "matured_sends"), bound):
        if row.channel in CHANNELS:  # a former tool may have used letters or text messages
            cell = (CHANNELS.index(row.channel), positions[row.customer_id], int(row.is_weekend), row.hour)
            sends[cell], clicks[cell] = row.sends, row.clicks
    return sends, clicks


def _profile_rows(people: pd.DataFrame, channel: str, business_date: date, posterior: Posterior) -> pd.DataFrame:
    low, high = posterior.interval()
    return pd.DataFrame(
        {
            "customer_id": np.repeat(people["customer_id"].to_numpy(), len(DAY_TYPES) * HOURS),
            "channel": channel,
            "day_type": np.tile(np.repeat(DAY_TYPES, HOURS), len(people)),
            "hour": np.tile(np.arange(HOURS), len(people) * len(DAY_TYPES)),
            "business_date": business_date,
            "alpha": posterior.alpha.ravel(),
            "beta": posterior.beta.ravel(),
            "rate_mean": posterior.mean.ravel(),
            "rate_low": low.ravel(),
            "rate_high": high.ravel(),
        }
    )

"""What is known at the end of a business date about everyone who might be messaged the next day."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import available_timezones

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from include.business_time import day_bounds
from include.db.sql import statement
from include.scheduling.campaigns import Campaign
from include.scheduling.send_times import day_type
from include.settings import CHANNELS, Settings

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """Whether one channel may and can reach a customer, as of the end of the business date."""

    has_consent: bool
    has_address: bool
    suppressed_for: str | None


@dataclass(frozen=True)
class Rates:
    """Beta parameters of the click rate by hour, each of shape (24,)."""

    alpha: Floats
    beta: Floats

    @property
    def mean(self) -> Floats:
        return self.alpha / (self.alpha + self.beta)


@dataclass(frozen=True)
class RecommendedList:
    """The head of one published list."""

    items: list[dict[str, Any]]
    margins: list[float]
    """Money per item sold, beside ``items``."""


@dataclass(frozen=True)
class Customer:
    """One customer of ``customer_features`` of the date."""

    customer_id: str
    segment: str
    time_zone: str
    reach: dict[str, Reach]
    """By channel, every channel."""
    rates: dict[str, Rates]
    lists: dict[str, RecommendedList]
    """By purpose; a purpose without recommendations is absent."""
    earlier_messages: tuple[datetime, ...]
    """Messages of earlier nights in the seven days before the send date, in UTC."""


@dataclass(frozen=True)
class KeptMessage:
    """A message of this night that delivery has taken up; a rerun keeps it and its decision."""

    channel: str
    send_at: datetime


@dataclass(frozen=True)
class Night:
    """All that the decisions of one business date rest on."""

    business_date: date
    send_date: date
    end_of_day: datetime
    campaigns: list[Campaign]
    customers: list[Customer]
    holdout: frozenset[str]
    kept: dict[tuple[str, str], KeptMessage] = field(default_factory=dict)
    """By (campaign, customer)."""


def read_customers(
    connection: Connection, settings: Settings, campaigns: Sequence[Campaign], business_date: date, send_date: date
) -> list[Customer]:
    """Customers of ``customer_features`` of ``business_date``, by id.

    Raises ValueError when the date's features or send-time profiles are missing.
    """
    bound = {
        "business_date": business_date,
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
        "default_zone": settings.customer_time_zone,
        "channels": list(CHANNELS),
    }
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(statement(__file__, "reachable_channels"), bound):
        rows[row.customer_id].append(row)
    if not rows:
        raise ValueError(f"customer_features has no row of {business_date}: run build_features for that date first")
    rates = _read_rates(connection, business_date, send_date)
    missing = [customer_id for customer_id in rows if len(rates[customer_id]) < len(CHANNELS)]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(rows)} customers of {business_date} have no send_time_profiles, "
            f"customer {missing[0]} among them: run learn_send_times for {business_date} first"
        )
    lists = _read_lists(connection, settings, campaigns, business_date)
    earlier: dict[str, list[datetime]] = defaultdict(list)
    for row in connection.execute(statement(__file__, "recent_messages"), bound):
        earlier[row.customer_id].append(row.at)
    known_zones = available_timezones()
    return [
        Customer(
            customer_id=customer_id,
            segment=of_customer[0].segment,
            # Postgres may know a zone that Python does not.
            time_zone=of_customer[0].time_zone
            if of_customer[0].time_zone in known_zones
            else settings.customer_time_zone,
            reach={row.channel: Reach(row.has_consent, row.has_address, row.suppressed_for) for row in of_customer},
            rates=rates[customer_id],
            lists=lists[customer_id],
            earlier_messages=tuple(earlier[customer_id]),
        )
        for customer_id, of_customer in rows.items()
    ]


def read_kept_messages(connection: Connection, business_date: date) -> dict[tuple[str, str], KeptMessage]:
    """Messages of the night no longer ``planned``, by (campaign, customer)."""
    rows = connection.execute(statement(__file__, "kept_messages"), {"business_date": business_date})
    return {(row.campaign_id, row.customer_id): KeptMessage(row.channel, row.send_at) for row in rows}


def _read_rates(connection: Connection, business_date: date, send_date: date) -> dict[str, dict[str, Rates]]:
    rates: dict[str, dict[str, Rates]] = defaultdict(dict)
    for row in connection.execute(statement(__file__, "rates_by_hour"), {"day_type": day_type(send_date)}):
        if row.business_date != business_date:
            raise ValueError(
                f"send_time_profiles are of {row.business_date}, not {business_date}: "
                f"run learn_send_times for {business_date} first"
            )
        rates[row.customer_id][row.channel] = Rates(np.array(row.alpha), np.array(row.beta))
    return rates


def _read_lists(
    connection: Connection, settings: Settings, campaigns: Sequence[Campaign], business_date: date
) -> dict[str, dict[str, RecommendedList]]:
    lists: dict[str, dict[str, RecommendedList]] = defaultdict(dict)
    if campaigns:
        bound = {
            "business_date": business_date,
            "purposes": sorted({campaign.purpose for campaign in campaigns}),
            "longest_list": max(campaign.items_per_message for campaign in campaigns),
            "default_margin_rate": settings.reporting.default_margin_rate,
        }
        for row in connection.execute(statement(__file__, "lists"), bound):
            lists[row.customer_id][row.purpose] = RecommendedList(row.items, row.margins)
    return lists

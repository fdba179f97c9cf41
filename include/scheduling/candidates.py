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
from include.scheduling.hour_model import HourPosterior
from include.scheduling.send_times import read_posteriors
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
    row: int
    """Place in the posteriors of the night."""
    rates: dict[str, Floats]
    """Mean click rate by channel, every channel, and hour of the send date, each of shape (24,)."""
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
    posteriors: dict[str, HourPosterior]
    """By channel, of all customers: on days like the send date."""
    kept: dict[tuple[str, str], KeptMessage] = field(default_factory=dict)
    """By (campaign, customer)."""


def read_customers(
    connection: Connection, settings: Settings, campaigns: Sequence[Campaign], business_date: date, send_date: date
) -> tuple[list[Customer], dict[str, HourPosterior]]:
    """Customers of ``customer_features`` of ``business_date``, by id, and their posteriors by channel.

    Raises ValueError when the date's features or models of send times are missing.
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
    ids, posteriors = read_posteriors(connection, settings, business_date, send_date)
    means = {channel: posterior.mean for channel, posterior in posteriors.items()}
    place = {customer_id: number for number, customer_id in enumerate(ids)}
    lists = _read_lists(connection, settings, campaigns, business_date)
    earlier: dict[str, list[datetime]] = defaultdict(list)
    for row in connection.execute(statement(__file__, "recent_messages"), bound):
        earlier[row.customer_id].append(row.at)
    known_zones = available_timezones()
    customers = [
        Customer(
            customer_id=customer_id,
            segment=of_customer[0].segment,
            # Postgres may know a zone that Python does not.
            time_zone=of_customer[0].time_zone
            if of_customer[0].time_zone in known_zones
            else settings.customer_time_zone,
            reach={row.channel: Reach(row.has_consent, row.has_address, row.suppressed_for) for row in of_customer},
            row=place[customer_id],
            rates={channel: mean[place[customer_id]] for channel, mean in means.items()},
            lists=lists[customer_id],
            earlier_messages=tuple(earlier[customer_id]),
        )
        for customer_id, of_customer in rows.items()
    ]
    return customers, posteriors


def read_kept_messages(connection: Connection, business_date: date) -> dict[tuple[str, str], KeptMessage]:
    """Messages of the night no longer ``planned``, by (campaign, customer)."""
    rows = connection.execute(statement(__file__, "kept_messages"), {"business_date": business_date})
    return {(row.campaign_id, row.customer_id): KeptMessage(row.channel, row.send_at) for row in rows}


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

"""What the pages on one campaign and on one customer show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine, Row, bindparam, exists, literal_column, select, text

from include.db.sql import statement
from include.db.tables import IS_GENERATED, PURPOSES, events
from include.reporting.ledger import Entry, read_ledger
from include.reporting.page_data import CAMPAIGN_ROI, snapshot
from include.settings import Settings

RECOMMENDATIONS_SHOWN = 5

CAMPAIGN_RESULTS = text(
    "select * from marketing.campaign_results where campaign_id = :campaign_id and business_date = :business_date "
    "order by channel = 'all' desc, channel, arm desc"
)
CAMPAIGN_LIFT = text(
    "select * from marketing.campaign_lift where campaign_id = :campaign_id and business_date = :business_date "
    "order by metric"
)
CUSTOMER_EXISTS = text("select exists (select from marketing.customers where customer_id = :customer_id)")
CUSTOMER_PROFILE = text(
    "select * from marketing.customer_features where customer_id = :customer_id "
    "and business_date = (select max(business_date) from marketing.customer_features)"
)
CUSTOMER_HAS_GENERATED = select(
    exists().where(events.c.customer_id == bindparam("customer_id"), literal_column(IS_GENERATED) == 1)
)


@dataclass(frozen=True)
class CampaignDetail:
    campaign_id: str
    name: str
    business_date: date
    results: Sequence[Row[Any]]
    lift: Sequence[Row[Any]]
    roi: Row[Any] | None
    includes_generated: bool


@dataclass(frozen=True)
class CustomerDetail:
    """Why one customer got or did not get messages. No address, no name: the id the reader typed is enough."""

    customer_id: str
    known: bool
    profile: Row[Any] | None
    decisions: Sequence[Entry]
    recommendations: Mapping[str, Sequence[Row[Any]]]
    """The first of each list that has any, by purpose."""
    includes_generated: bool
    """Some of the events behind the profile are made by the generator."""


def campaign_detail(engine: Engine, campaign_id: str) -> CampaignDetail | None:
    """Results by channel and arm, lift by metric and ROI on the campaign's latest date; None for an unknown one."""
    with snapshot(engine) as connection:
        found = connection.execute(statement(__file__, "page_campaign"), {"campaign_id": campaign_id}).one()
        if found.business_date is None:
            return None
        key = {"campaign_id": campaign_id, "business_date": found.business_date}
        results = connection.execute(CAMPAIGN_RESULTS, key).all()
        lift = connection.execute(CAMPAIGN_LIFT, key).all()
        roi = connection.execute(CAMPAIGN_ROI, key).one_or_none()
    return CampaignDetail(
        campaign_id=campaign_id,
        name=found.name,
        business_date=found.business_date,
        results=results,
        lift=lift,
        roi=roi,
        includes_generated=any(row.includes_generated for row in (*results, *lift, *([roi] if roi else []))),
    )


def customer_detail(engine: Engine, settings: Settings, customer_id: str) -> CustomerDetail:
    """The latest decisions about one customer, their profile, and what they would be offered."""
    key = {"customer_id": customer_id}
    with snapshot(engine) as connection:
        known = connection.execute(CUSTOMER_EXISTS, key).scalar_one()
        profile = connection.execute(CUSTOMER_PROFILE, key).one_or_none()
        decisions = read_ledger(connection, settings, customer_id)
        generated = connection.execute(CUSTOMER_HAS_GENERATED, key).scalar_one()
        recommendations = connection.execute(
            statement(__file__, "page_recommendations"), key | {"ranks": RECOMMENDATIONS_SHOWN}
        ).all()
    return CustomerDetail(
        customer_id=customer_id,
        known=known or bool(decisions),
        profile=profile,
        decisions=decisions,
        recommendations={
            purpose: listed
            for purpose in PURPOSES
            if (listed := [row for row in recommendations if row.purpose == purpose])
        },
        includes_generated=generated,
    )

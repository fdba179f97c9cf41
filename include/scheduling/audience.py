"""Whom each campaign is meant for: its segments, its filter and its trigger, all of which must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, case, literal, not_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql import func

from include.audience_filter import parse_filter
from include.db.tables import customer_features, customers
from include.scheduling.campaigns import Campaign
from include.scheduling.triggers import open_occasions, trigger_words
from include.settings import Settings, TriggerSettings

MEANT, OTHER_SEGMENT, FILTERED_OUT, NO_OCCASION = range(4)
"""What is said of a customer, in the order it is asked."""


@dataclass(frozen=True)
class Audience:
    """Whom one campaign is meant for.

    Places count the customers of ``customer_features`` of the date from 0, by id, byte by byte, as Python sorts texts.
    """

    verdicts: NDArray[np.uint8]
    """Of shape (customers,): MEANT or the first of the other three that keeps the customer out."""
    items: Mapping[int, str]
    """The item that calls for the message, by place: it leads the message. Of triggers about items, and of members."""
    sentences: Mapping[int, str] = field(repr=False)
    """For those outside, by verdict."""

    @cached_property
    def members(self) -> NDArray[np.bool_]:
        """Of shape (customers,)."""
        return self.verdicts == MEANT


def audiences(
    connection: Connection, settings: Settings, campaigns: Sequence[Campaign], business_date: date
) -> dict[str, Audience]:
    """The audience of each campaign, by campaign_id, as of the end of ``business_date``.

    Holds a byte per customer and campaign, and an entry per member with a triggering item. Raises AudienceError for a
    filter that cannot be understood, which ``read_campaigns`` refuses before.
    """
    verdicts = _verdicts(connection, campaigns, business_date)
    found = {}
    for campaign in campaigns:
        of_campaign, items = verdicts[campaign.campaign_id], {}
        if campaign.trigger is not None:
            occasions = open_occasions(connection, settings, campaign.campaign_id, campaign.trigger, business_date)
            has_occasion = np.zeros(len(of_campaign), bool)
            has_occasion[list(occasions)] = True
            of_campaign[~has_occasion & (of_campaign == MEANT)] = NO_OCCASION
            items = {
                place: item_id
                for place, item_id in occasions.items()
                if item_id is not None and of_campaign[place] == MEANT
            }
        found[campaign.campaign_id] = Audience(of_campaign, items, _sentences(campaign, settings.scheduling.triggers))
    return found


def _verdicts(
    connection: Connection, campaigns: Sequence[Campaign], business_date: date
) -> dict[str, NDArray[np.uint8]]:
    """By segments and filters, of all campaigns in one pass over the customers."""
    if not campaigns:
        return {}
    by_id = aggregate_order_by(literal(""), customer_features.c.customer_id.collate("C"))
    query = (
        select(*[func.string_agg(_verdict(campaign), by_id) for campaign in campaigns])
        .select_from(customer_features.outerjoin(customers, customers.c.customer_id == customer_features.c.customer_id))
        .where(customer_features.c.business_date == business_date)
    )
    row = connection.execute(query).one()
    return {
        campaign.campaign_id: np.frombuffer((digits or "").encode(), np.uint8) - np.uint8(ord("0"))
        for campaign, digits in zip(campaigns, row, strict=True)
    }


def _verdict(campaign: Campaign) -> ColumnElement[str]:
    """The verdict as a digit, so that those of all customers are one text."""
    whens: list[tuple[ColumnElement[bool], str]] = []
    if campaign.audience is not None:
        whens.append((customer_features.c.segment.not_in(campaign.audience), str(OTHER_SEGMENT)))
    if campaign.audience_filter is not None:
        whens.append((not_(parse_filter(campaign.audience_filter).expression), str(FILTERED_OUT)))
    return case(*whens, else_=str(MEANT)) if whens else literal(str(MEANT))


def _sentences(campaign: Campaign, triggers: TriggerSettings) -> dict[int, str]:
    sentences = {}
    if campaign.audience is not None:
        sentences[OTHER_SEGMENT] = (
            f"The campaign is for {', '.join(campaign.audience)}; the customer's segment is another."
        )
    if campaign.audience_filter is not None:
        wanted = " ".join(campaign.audience_filter.split())
        sentences[FILTERED_OUT] = f"The campaign is for customers with {wanted}; this one is not, as far as is known."
    if campaign.trigger is not None:
        words = trigger_words(campaign.trigger, triggers)
        sentences[NO_OCCASION] = f"The campaign is for customers {words}; this one did not, or has had its message."
    return sentences

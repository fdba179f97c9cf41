"""Everything that the decisions of one business date rest on, read from Postgres."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow
from numpy.typing import NDArray
from sqlalchemy import Connection

from include.business_time import day_bounds, local_instant
from include.db.copy import copy_out_columns
from include.db.sql import source, statement
from include.scheduling.assignment import hash_shares
from include.scheduling.audience import Audience, audiences
from include.scheduling.campaigns import Campaign, read_campaigns
from include.scheduling.caps import Sent
from include.scheduling.conversion import Conversion
from include.scheduling.holdouts import assign_holdout
from include.scheduling.night import Floats, Kept, Night, Numbers
from include.scheduling.people import People, channel_numbers, read_led_margins, read_margins, read_people, read_sent
from include.scheduling.response_models import read_conversion, read_fatigue
from include.scheduling.send_times import read_beliefs
from include.scheduling.slots import HOUR, Hours, microseconds
from include.settings import CHANNELS, Settings

MEASURED_CLICKS = 200
"""Decayed clicks from which on it is known what a click brings: as many as are assumed before (``conversion``)."""
FATIGUE_DAYS = 7
"""Messages of so many days make a customer weary of one more."""


def read_night(connection: Connection, settings: Settings, business_date: date, *, locking: bool) -> Night:
    """What is known at the end of ``business_date``; makes ``replaced_messages`` and ``kept_messages`` of the night.

    locking: delivery takes up none of the messages that a new plan replaces until the transaction ends.
    """
    send_date = business_date + timedelta(days=1)
    # Read once: what delivery has taken up is kept, whatever becomes of it while the night is decided.
    for name in ("create_replaced_messages", *(["lock_replaced_messages"] if locking else []), "create_kept_messages"):
        connection.execute(statement(__file__, name), {"business_date": business_date})
    campaigns = read_campaigns(connection, settings.scheduling, send_date)
    people = read_people(connection, settings, business_date)
    end_of_day = day_bounds(business_date, settings.business_time_zone)[1]
    ids = people.ids.to_pylist()
    holdout = assign_holdout(connection, settings.scheduling, ids, business_date=business_date, send_date=send_date)
    meant = audiences(connection, settings, campaigns, business_date)
    sent = read_sent(connection, settings, business_date)
    beliefs = read_beliefs(connection, settings, business_date, send_date)
    conversion = read_conversion(connection, business_date)
    weary = _wearying(connection, settings, people, sent, business_date)
    fatigue, click_factor = (
        told.astype(np.float32) for told in weary(np.arange(len(people)), np.zeros(len(people), int))
    )
    return Night(
        business_date=business_date,
        send_date=send_date,
        end_of_day=end_of_day,
        campaigns=campaigns,
        people=people,
        hours=Hours.of(send_date, people.zones, settings.scheduling, not_before=_earliest(settings, send_date)),
        beliefs=beliefs,
        audiences=[meant[campaign.campaign_id] for campaign in campaigns],
        holdout_id=holdout.holdout_id,
        is_held_out=np.fromiter((customer_id in holdout.members for customer_id in ids), bool, len(ids)),
        margin=_margins(connection, settings, campaigns, meant, len(people), business_date),
        orders_per_click=_orders_per_click(conversion, campaigns),
        fatigue=fatigue,
        click_factor=click_factor,
        weary=weary,
        credit=_credit(conversion, campaigns, float(fatigue.max(initial=0))),
        sent=sent,
        kept=_read_kept(connection, campaigns),
        shares=_shares(ids),
    )


def _earliest(settings: Settings, send_date: date) -> datetime:
    return local_instant(send_date, settings.scheduling.earliest_send_time, settings.business_time_zone)


def _shares(ids: list[str]) -> Callable[[str, Numbers | None], Floats]:
    def shares(salt: str, customers: Numbers | None) -> Floats:
        return hash_shares(salt, ids if customers is None else (ids[customer] for customer in customers))

    return shares


def _margins(
    connection: Connection,
    settings: Settings,
    campaigns: list[Campaign],
    meant: dict[str, Audience],
    customers: int,
    business_date: date,
) -> NDArray[np.float32]:
    """(campaigns, customers)."""
    known: dict[tuple[str, int], Floats] = {}
    margins = np.empty((len(campaigns), customers), np.float32)
    for number, campaign in enumerate(campaigns):
        key = campaign.purpose, campaign.items_per_message
        if key not in known:
            known[key] = read_margins(connection, settings, business_date, customers, *key)
        margins[number] = known[key]
        leading = meant[campaign.campaign_id].items
        if leading:
            led = read_led_margins(connection, settings, business_date, customers, leading, *key)
            margins[number] = np.where(np.isnan(led), margins[number], led)
    return margins


def _orders_per_click(conversion: Conversion, campaigns: list[Campaign]) -> Floats:
    """(campaigns, channels)."""
    told = [[conversion.of(one.campaign_id, name).orders_per_click for name in CHANNELS] for one in campaigns]
    return np.array(told).reshape(len(campaigns), len(CHANNELS))


def _credit(conversion: Conversion, campaigns: list[Campaign], most_fatigue: float) -> Floats:
    """(campaigns,): what a message can cost, while its channels' clicks are too few to say what one brings."""
    clicks = [sum(conversion.channels[name].clicks for name in campaign.channels) for campaign in campaigns]
    costs = [campaign.cost_per_message + most_fatigue for campaign in campaigns]
    return np.where(np.array(clicks) < MEASURED_CLICKS, costs, 0.0)


def _wearying(
    connection: Connection, settings: Settings, people: People, sent: Sent, business_date: date
) -> Callable[[Numbers, Numbers], tuple[Floats, Floats]]:
    """``Night.weary``."""
    fatigue = read_fatigue(connection, business_date)
    end_of_day = microseconds(day_bounds(business_date, settings.business_time_zone)[1])
    late = (sent.at < end_of_day) & (sent.at >= end_of_day - FATIGUE_DAYS * 24 * HOUR)
    recent = np.bincount(sent.customer[late], minlength=len(people))
    margin = people.expected_value * settings.reporting.default_margin_rate
    worth = {channel: fatigue.worth(channel, margin) for channel in CHANNELS}

    def weary(customers: Numbers, tonight: Numbers) -> tuple[Floats, Floats]:
        before = recent[customers]
        costs = [fatigue.cost(channel, before + tonight, worth[channel][customers]) for channel in CHANNELS]
        return np.stack(costs), np.stack([fatigue.click_factor(channel, before, tonight) for channel in CHANNELS])

    return weary


def _read_kept(connection: Connection, campaigns: list[Campaign]) -> Kept:
    word = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types = {"campaign_id": word, "channel": word, "place": pyarrow.int64(), "at": pyarrow.int64()}
    rows = copy_out_columns(connection, source(__file__, "select_kept_messages"), types)
    names = [campaign.campaign_id for campaign in campaigns]
    coded = rows["campaign_id"].combine_chunks()
    known = coded.dictionary.to_pylist()
    numbers = np.array([names.index(name) if name in names else ~place for place, name in enumerate(known)], np.int64)
    campaign = numbers[coded.indices.to_numpy()] if len(coded) else np.zeros(0, np.int64)
    return Kept(campaign, rows["place"].to_numpy(), channel_numbers(rows["channel"]), rows["at"].to_numpy())

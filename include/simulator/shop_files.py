"""The other files of the made-up shop: customers, items, consents and campaigns, as a shop would write them.

Everything says ``generated``, addresses are below example.com, and nothing here tells what customers or campaigns are
truly like.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow
from numpy.typing import NDArray

from include.settings import CHANNELS, Settings
from include.simulator import rates
from include.simulator.activity import instants
from include.simulator.catalogue import Catalogue, catalogue_of
from include.simulator.chance import Floats, Numbers, opaque_ids, uniform
from include.simulator.clock import DAY_SECONDS, DayClock
from include.simulator.people import People, people_of
from include.simulator.world import World

SHOP_URL = "https://shop.example.com"
CONSENT_SCHEMA = pyarrow.schema(
    [
        ("customer_id", pyarrow.string()),
        ("channel", pyarrow.string()),
        ("granted", pyarrow.bool_()),
        ("occurred_at", pyarrow.timestamp("ms", "UTC")),
        ("source", pyarrow.string()),
        ("generated", pyarrow.bool_()),
    ]
)


def item_url(item: int) -> str:
    return f"{SHOP_URL}/items/i{item}"


def joined_on(world: World, day: date) -> Numbers:
    """Customers who joined on the day; on the history's last day, all up to then."""
    days, joined = world.days_since_first_night(day), people_of(world).joined
    return np.flatnonzero(joined <= days if days < 0 else joined == days)


def customers(world: World, who: Numbers, clock: DayClock) -> pyarrow.Table:
    """Rows of ``customers`` for ``who``."""
    people, numbers = people_of(world), who.tolist()
    zones = people.zone[who].tolist()
    known = uniform(people.subjects[who], world.seed, "zone is known") >= rates.UNKNOWN_ZONE_SHARE
    return pyarrow.table(
        {
            "customer_id": people.ids.take(pyarrow.array(who)),
            "email": _given(people.has_email[who], [f"customer-{number}@mail.example.com" for number in numbers]),
            "push_token": _given(
                people.has_push[who], opaque_ids(people.subjects[who], world.seed, "push token").to_pylist()
            ),
            "time_zone": _given(known, [world.time_zones[zone].time_zone for zone in zones]),
            "locale": [world.time_zones[zone].locale for zone in zones],
            "country": [world.time_zones[zone].country for zone in zones],
            "created_at": instants(_created_at(world, people, who, clock)),
            "generated": pyarrow.repeat(pyarrow.scalar(True), len(who)),
        }
    )


def _given(which: NDArray[np.bool_], values: list[str]) -> pyarrow.Array:
    return pyarrow.array(
        [value if given else None for given, value in zip(which, values, strict=True)], pyarrow.string()
    )


def _created_at(world: World, people: People, who: Numbers, clock: DayClock) -> Floats:
    """Some time in the first hour of the day they joined."""
    back = world.days_since_first_night(clock.day) - people.joined[who]
    return np.floor(clock.start - DAY_SECONDS * back + 3600 * uniform(people.subjects[who], world.seed, "joined at"))


def consents(world: World, who: Numbers, clock: DayClock) -> pyarrow.Table:
    """What ``who``, who joined up to the clock's day, answered when they were asked; and who withdrew on that day."""
    people = people_of(world)
    created = _created_at(world, people, who, clock)
    given = [
        _consents(people, who, np.array(people.consents[channel][who]), created, channel, "sign-up")
        for channel in (0, 1)
    ]
    everyone = np.flatnonzero(people.joined < world.days_since_first_night(clock.day))
    withdrawn = []
    for channel in range(len(CHANNELS)):
        drawn = uniform(people.subjects[everyone], world.seed, "withdraws", channel, clock.day)
        gone = everyone[(drawn < rates.WITHDRAWN_PER_DAY) & people.consents[channel][everyone]]
        at = clock.start + np.floor(DAY_SECONDS / 2 * uniform(people.subjects[gone], world.seed, "withdraws at"))
        withdrawn.append(_consents(people, gone, np.zeros(len(gone), bool), at, channel, "preferences"))
    return pyarrow.concat_tables([*given, *withdrawn])


def _consents(
    people: People, who: Numbers, granted: NDArray[np.bool_], at: Floats, channel: int, source: str
) -> pyarrow.Table:
    columns = {
        "customer_id": people.ids.take(pyarrow.array(who)),
        "channel": pyarrow.repeat(pyarrow.scalar(CHANNELS[channel]), len(who)),
        "granted": pyarrow.array(granted),
        "occurred_at": instants(at),
        "source": pyarrow.repeat(pyarrow.scalar(source), len(who)),
        "generated": pyarrow.repeat(pyarrow.scalar(True), len(who)),
    }
    return pyarrow.table(columns).cast(CONSENT_SCHEMA)


def items(world: World, settings: Settings, day: date, *, changed_only: bool) -> pyarrow.Table:
    """Rows of ``items`` as of the day; changed_only: where price or stock differ from the day before."""
    catalogue = catalogue_of(world)
    prices, stocked = catalogue.prices(day), catalogue.in_stock(day)
    before = day - timedelta(days=1)
    changed = (prices != catalogue.prices(before)) | (stocked != catalogue.in_stock(before))
    which = np.flatnonzero(changed) if changed_only else np.arange(len(catalogue))
    return pyarrow.table(
        {
            "item_id": catalogue.ids.take(pyarrow.array(which)),
            "title": [_title(catalogue, item) for item in which.tolist()],
            "category": pyarrow.array(catalogue.category_names()).take(pyarrow.array(catalogue.category[which])),
            "brand": [f"Brand {brand + 1}" for brand in catalogue.brand[which].tolist()],
            "price": prices[which],
            "margin_rate": catalogue.margin_rate[which],
            "currency": pyarrow.repeat(pyarrow.scalar(settings.currency), len(which)),
            "url": [item_url(item) for item in which.tolist()],
            "in_stock": stocked[which],
            "generated": pyarrow.repeat(pyarrow.scalar(True), len(which)),
        }
    )


def _title(catalogue: Catalogue, item: int) -> str:
    return f"{catalogue.category_names()[catalogue.category[item]]} no. {item + 1}"


def campaigns(world: World) -> pyarrow.Table:
    """Rows of ``campaigns``; what they are worth is not among them."""
    terms = world.campaigns
    first = [world.first_night + timedelta(days=1 + campaign.first_send) for campaign in terms]
    lasts = [timedelta(days=campaign.days - 1) for campaign in terms]
    return pyarrow.table(
        {
            "campaign_id": [campaign.campaign_id for campaign in terms],
            "name": [f"{campaign.campaign_id.capitalize()} (made up)" for campaign in terms],
            "channels": ["|".join(campaign.channels) for campaign in terms],
            "starts_on": pyarrow.array(first, pyarrow.date32()),
            "ends_on": pyarrow.array(
                [day + length for day, length in zip(first, lasts, strict=True)], pyarrow.date32()
            ),
            "audience": pyarrow.array(["|".join(campaign.audience) or None for campaign in terms], pyarrow.string()),
            "purpose": [campaign.purpose for campaign in terms],
            "items_per_message": [campaign.items_per_message for campaign in terms],
            "priority": [campaign.priority for campaign in terms],
            "cost_per_message": [campaign.cost_per_message for campaign in terms],
            "control_share": [campaign.control_share for campaign in terms],
            "generated": [True] * len(terms),
        }
    )

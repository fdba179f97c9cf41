"""What an address is and how it is hashed is said once, by the view ``addresses``; planning and sending agree on it."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

import pytest
from delivery_world import NINE, PROVENANCE, World, arrivals, deliver, settings_for
from sqlalchemy import Engine, text

from include.db import tables
from include.delivery import process_engagements
from include.demo.sinks import running_sinks
from include.scheduling.people import NO_ADDRESS, read_people
from include.settings import CHANNELS, Settings

CUSTOMERS = {
    # customer: email, push token, address by channel, what is hashed by channel
    "both": (
        "Ann@Example.com",
        "TokeN",
        {"email": "Ann@Example.com", "app_push": "TokeN"},
        {"email": "ann@example.com", "app_push": "TokeN"},
    ),
    "spaced": (
        " \tÉva@Example.com \r\n",
        " TokeN ",
        {"email": "Éva@Example.com", "app_push": " TokeN "},
        {"email": "éva@example.com", "app_push": " TokeN "},
    ),
    "none": (None, None, {}, {}),
    "empty": ("", "", {}, {}),
    "blank": (" \t\r\n", " \t\r\n", {}, {}),
}


@pytest.fixture
def world(engine: Engine) -> World:
    world = World(engine)
    for customer_id, (email, token, *_) in CUSTOMERS.items():
        world.insert(tables.customers, {"customer_id": customer_id, "email": email, "push_token": token} | PROVENANCE)
    return world


@pytest.mark.parametrize("customer_id", list(CUSTOMERS))
def test_one_row_per_channel_with_an_address(world: World, engine: Engine, customer_id: str) -> None:
    _, _, addresses, hashed = CUSTOMERS[customer_id]
    with engine.connect() as connection:
        rows = connection.execute(
            text("select channel, address, address_hash from marketing.addresses where customer_id = :customer_id"),
            {"customer_id": customer_id},
        ).all()
    assert {row.channel: row.address for row in rows} == addresses
    assert {row.channel: row.address_hash for row in rows} == {
        channel: hashlib.sha256(value.encode()).hexdigest() for channel, value in hashed.items()
    }
    assert len(rows) == len(addresses)


@pytest.mark.parametrize("customer_id", list(CUSTOMERS))
def test_planning_sending_and_suppressing_take_the_same_for_an_address(
    world: World, engine: Engine, settings: Settings, make_settings: object, tmp_path: Path, customer_id: str
) -> None:
    addresses = CUSTOMERS[customer_id][2]
    day = date(2017, 11, 29)
    for date_of_features in (day, NINE.date()):
        world.insert(
            tables.customer_features,
            {
                "business_date": date_of_features,
                "customer_id": customer_id,
                "frequency": 0,
                "monetary_value": 0,
                "preferred_categories": [],
                "active_hours": [],
                "segment": "new",
            },
        )
    for channel in CHANNELS:
        world.consent(customer_id, channel, True, NINE - timedelta(days=9))
        world.insert(
            tables.messages,
            {
                "message_id": channel,
                "campaign_id": "c1",
                "customer_id": customer_id,
                "channel": channel,
                "send_date": NINE.date(),
                "business_date": day,
                "send_at": NINE,
                "not_after": NINE + timedelta(hours=6),
                "content": {"template": None, "items": [{"item_id": "ice", "strategy": "als", "reason_item_id": None}]},
            },
        )
    met = obstacles(engine, settings, day)
    assert {channel for channel, obstacle in met.items() if obstacle != NO_ADDRESS} == set(addresses)

    with running_sinks(tmp_path / "sinks") as sinks:
        summary = deliver(engine, settings_for(make_settings, sinks))
        assert (summary.sent, summary.cancelled) == (len(addresses), len(CHANNELS) - len(addresses))
        assert arrivals(sinks) == sorted(addresses)

    world.engage("unsubscribe", NINE + timedelta(hours=1), customer_id=customer_id, campaign_id="unknown")
    process_engagements(engine, settings, as_of=NINE + timedelta(days=1))
    assert {channel for _, channel in world.suppressions()} == set(addresses)
    met = obstacles(engine, settings, NINE.date())
    assert {channel for channel, obstacle in met.items() if obstacle == "unsubscribe"} == set(addresses)


def obstacles(engine: Engine, settings: Settings, day: date) -> dict[str, str]:
    """By channel, of the only customer with features; empty: none."""
    with engine.connect() as connection:
        people = read_people(connection, settings, day)
    return {channel: people.obstacles[number] for channel, number in zip(CHANNELS, people.obstacle[:, 0], strict=True)}

"""A channel that is down, or set up wrongly, eats no messages; a message that can never go does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from delivery_servers import mail_server, push_gateway
from delivery_world import NINE, World, deliver, settings_for
from sqlalchemy import Engine

from include.settings import Settings

RUNS = 5
"""More than the attempts a message has."""


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def run_in_vain(world: World, engine: Engine, settings: Settings) -> str:
    """Delivery runs that send nothing and cost no attempt; returns the first message's error."""
    for run in range(RUNS):
        assert deliver(engine, settings, NINE + run * timedelta(minutes=10)).put_back == 2
    assert world.states() == {"m1": "planned", "m2": "planned"}
    assert [world.message(message_id).attempts for message_id in ("m1", "m2")] == [0, 0]
    assert world.suppressions() == {}
    error: str = world.message("m1").error
    return error


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        ({"EHLO": "250-test\r\n250 AUTH PLAIN", "AUTH": "535 5.7.8 wrong"}, "SMTPAuthenticationError"),
        ({"MAIL": "530 5.7.0 log in first"}, "530"),
        ({"MAIL": "550 5.7.1 not your sender"}, "delivery.sender"),
        ({"MAIL": "451 4.3.0 busy"}, "451"),
        ({"MAIL": "421 4.7.0 too many mails"}, "ended the connection"),
        ({"MAIL": ""}, "ended the connection"),
        ({"RCPT": "530 5.7.0 log in first"}, "530"),
    ],
    ids=["wrong password", "no password", "wrong sender", "busy", "closing", "gone", "no password, said late"],
)
def test_mails_wait_for_a_server_that_takes_none(
    world: World, engine: Engine, make_settings: Callable[..., Settings], answers: dict[str, str], word: str
) -> None:
    world.plan_many(["m1", "m2"])
    login = {"smtp_username": "shop", "smtp_password": "wrong"} if "AUTH" in answers else {}
    with mail_server([], **answers) as port:
        error = run_in_vain(world, engine, settings_for(make_settings, smtp_port=port, **login))
    assert word in error
    with mail_server([]) as port:
        assert deliver(engine, settings_for(make_settings, smtp_port=port), NINE + timedelta(hours=2)).sent == 2


@pytest.mark.parametrize(
    ("status", "headers", "word"),
    [
        (404, {}, "delivery.push_url"),
        (405, {}, "delivery.push_url"),
        (301, {"Location": "https://elsewhere.example/push"}, "delivery.push_url"),
        (307, {"Location": "/elsewhere"}, "delivery.push_url"),
        (401, {}, "delivery.push_token"),
        (503, {"Retry-After": "3600"}, "503"),
    ],
)
def test_pushes_wait_for_a_gateway_that_is_not_there(
    world: World,
    engine: Engine,
    make_settings: Callable[..., Settings],
    status: int,
    headers: dict[str, str],
    word: str,
) -> None:
    world.plan_many(["m1", "m2"], channel="app_push")
    with push_gateway(status, headers=headers) as url:
        error = run_in_vain(world, engine, settings_for(make_settings, push_url=url))
    assert word in error
    with push_gateway() as url:
        assert deliver(engine, settings_for(make_settings, push_url=url), NINE + timedelta(hours=2)).sent == 2


def test_a_token_the_gateway_no_longer_knows_is_dead(
    world: World, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    world.plan_many(["m1", "m2"], channel="app_push")
    with push_gateway(404, body='{"error": "UNREGISTERED"}') as url:
        assert deliver(engine, settings_for(make_settings, push_url=url)).failed == 2
    assert len(world.suppressions()) == 2


def test_a_recipient_at_whom_the_server_hangs_up_stops_nobody_else(
    world: World, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    world.plan_many(["m1", "m2"])
    with mail_server([], RCPT="") as port:
        settings = settings_for(make_settings, smtp_port=port)
        for run in range(3):
            deliver(engine, settings, NINE + run * timedelta(minutes=10))
    assert world.states() == {"m1": "failed", "m2": "failed"}
    assert world.message("m1").attempts == 3


@pytest.mark.parametrize("answers", [{}, {"EHLO": "500 what?"}], ids=["without SMTPUTF8", "without extensions"])
def test_an_address_beyond_ascii_fails_where_the_server_takes_none(
    world: World, engine: Engine, make_settings: Callable[..., Settings], answers: dict[str, str]
) -> None:
    world.plan("m1", email="jürgen@example.com")
    world.plan("m2")
    heard: list[str] = []
    with mail_server(heard, **answers) as port:
        summary = deliver(engine, settings_for(make_settings, smtp_port=port))
    assert (summary.failed, summary.sent) == (1, 1)
    assert "SMTPUTF8" in world.message("m1").error
    assert [line for line in heard if line.startswith("rcpt")] == ["rcpt TO:<customer+m2@example.com>"]
    assert world.suppressions() == {}

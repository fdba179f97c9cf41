"""A live run lasts: every message is judged by the clock at its own turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from delivery_servers import push_gateway
from delivery_world import NINE, World, deliver, settings_for
from sqlalchemy import Engine, select

from include.db import tables
from include.delivery import process_engagements
from include.settings import Settings

SECOND = timedelta(seconds=1)


class Clock:
    """Shows nine o'clock until somebody takes their time."""

    def __init__(self) -> None:
        self.now = NINE

    def __call__(self) -> object:
        return self.now

    def pass_a_second(self) -> None:
        self.now += SECOND


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slow_gateway(clock: Clock) -> Iterator[str]:
    """Takes a second of the clock for each push."""
    with push_gateway(before_answer=clock.pass_a_second) as url:
        yield url


@pytest.mark.parametrize("batch_size", [1, 4, 200])
def test_nothing_is_sent_after_its_last_instant_however_long_the_run_takes(
    world: World,
    engine: Engine,
    make_settings: Callable[..., Settings],
    clock: Clock,
    slow_gateway: str,
    batch_size: int,
) -> None:
    world.plan_many([f"m{n}" for n in range(6)], channel="app_push", not_after=NINE + 2 * SECOND)
    settings = settings_for(make_settings, push_url=slow_gateway, batch_size=batch_size)
    summary = deliver(engine, settings, clock=clock)
    later = deliver(engine, settings, clock=clock)
    assert (summary.sent, summary.expired + later.expired, later.sent) == (2, 4, 0)
    assert [world.message(name).sent_at for name in ("m0", "m1")] == [NINE, NINE + SECOND]
    for name in ("m2", "m5"):
        row = world.message(name)
        assert (row.state, row.sent_at, row.attempts) == ("expired", None, 0)
        assert "last permitted instant" in row.error


def test_what_comes_due_during_the_run_is_sent_by_it(
    world: World, engine: Engine, make_settings: Callable[..., Settings], clock: Clock, slow_gateway: str
) -> None:
    world.plan("now", channel="app_push")
    world.plan("soon", channel="app_push", send_at=NINE + SECOND)
    assert deliver(engine, settings_for(make_settings, push_url=slow_gateway), clock=clock).sent == 2
    assert world.message("soon").sent_at == NINE + SECOND


def test_a_scanner_is_known_by_its_speed_also_late_in_a_run(
    world: World, engine: Engine, make_settings: Callable[..., Settings], clock: Clock, slow_gateway: str
) -> None:
    world.plan_many([f"m{n:02}" for n in range(20)], channel="app_push")
    settings = settings_for(make_settings, push_url=slow_gateway)
    deliver(engine, settings, clock=clock)
    by_machine = world.engage("open", NINE + 24 * SECOND, message_id="m19")
    world.engage("open", NINE + 30 * SECOND, message_id="m19")
    process_engagements(engine, settings, as_of=NINE + timedelta(hours=1))
    with engine.connect() as connection:
        marked = connection.execute(select(tables.engagements.c.engagement_id).where(tables.engagements.c.is_machine))
        assert list(marked.scalars()) == [by_machine]


def test_without_a_clock_time_stands_still(
    world: World, engine: Engine, make_settings: Callable[..., Settings], clock: Clock, slow_gateway: str
) -> None:
    world.plan_many([f"m{n}" for n in range(3)], channel="app_push", not_after=NINE + SECOND)
    assert deliver(engine, settings_for(make_settings, push_url=slow_gateway)).sent == 3
    assert {world.message(f"m{n}").sent_at for n in range(3)} == {NINE}


def test_a_clock_without_offset_and_a_replay_with_a_clock_are_refused(
    world: World, engine: Engine, make_settings: Callable[..., Settings], clock: Clock
) -> None:
    world.plan("m1")
    with pytest.raises(ValueError, match="give it no clock"):
        deliver(engine, settings_for(make_settings), since=NINE - timedelta(hours=1), clock=clock)
    clock.now = NINE.replace(tzinfo=None)
    with pytest.raises(ValueError, match="without UTC offset"):
        deliver(engine, settings_for(make_settings), clock=clock)
    assert world.states() == {"m1": "planned"}

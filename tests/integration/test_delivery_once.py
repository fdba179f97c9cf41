"""Whatever runs side by side, and whatever is killed: no message arrives twice."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import NINE, World, arrivals, deliver, settings_for
from sqlalchemy import Engine, text

from include.db.locks import lock_session
from include.delivery.outbox import WORKER_LOCK
from include.demo.sinks import Sinks, running_sinks
from include.settings import PROJECT_ROOT, Settings

WORKER = """
import sys
from datetime import datetime
from include.db.engine import make_engine
from include.delivery import deliver_due_messages
from include.settings import Settings
settings = Settings.model_validate_json(sys.argv[1])
deliver_due_messages(
    make_engine(settings), settings, as_of=datetime.fromisoformat(sys.argv[2]), since=None, worker=sys.argv[3]
)
"""
PATIENCE_SECONDS = 60


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def sinks(tmp_path: Path) -> Iterator[Sinks]:
    with running_sinks(tmp_path / "sinks") as running:
        yield running


def start_worker(settings: Settings, database_url: str, worker: str) -> subprocess.Popen[bytes]:
    delivery = settings.delivery.model_dump_json()
    given = f'{{"database_url": "{database_url}", "delivery": {delivery}}}'
    return subprocess.Popen([sys.executable, "-c", WORKER, given, NINE.isoformat(), worker], cwd=PROJECT_ROOT)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.01)


def arrived_so_far(sinks: Sinks) -> int:
    return len(sinks.mail_files()) + len(sinks.pushes())


def lock_is_held(engine: Engine, worker: str) -> bool:
    with engine.begin() as connection:
        free = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
        return not connection.execute(free, {"name": WORKER_LOCK + worker}).scalar_one()


def test_killed_at_any_point_nothing_arrives_twice_and_at_most_one_message_per_kill_is_unknown(
    world: World, engine: Engine, database_url: str, make_settings: Callable[..., Settings], sinks: Sinks
) -> None:
    planned = [f"m{number:03}" for number in range(300)]
    world.plan_many(planned[::2])
    world.plan_many(planned[1::2], channel="app_push")
    settings = settings_for(make_settings, sinks, batch_size=40)
    chance = random.Random(20171130)
    kills = 0
    for run in range(6):
        before = arrived_so_far(sinks)
        worker = start_worker(settings, database_url, f"run-{run % 3}")
        after = before + chance.randint(1, 25)
        # Some workers die while they start, most of them somewhere between two messages or within one.
        if run % 4 == 3:
            time.sleep(chance.uniform(0.0, 0.4))
        else:
            wait_until(
                lambda after=after, worker=worker: arrived_so_far(sinks) >= after or worker.poll() is not None, "mail"
            )
            time.sleep(chance.uniform(0.0, 0.02))
        worker.kill()
        kills += worker.wait() == -9
        wait_until(lambda run=run: not lock_is_held(engine, f"run-{run % 3}"), "the dead worker's session to end")
    last = deliver(engine, settings, worker="last")
    states = world.states()
    arrived = arrivals(sinks)
    unknown = {message_id for message_id, state in states.items() if state == "unknown"}
    assert kills == 6, "the workers finished before they could be killed"
    assert len(arrived) == len(set(arrived)), "a message arrived twice"
    assert set(states.values()) <= {"sent", "unknown"}
    assert {message_id for message_id, state in states.items() if state == "sent"} <= set(arrived)
    assert len(unknown) <= kills
    assert set(planned) - set(arrived) <= unknown, "nothing but what is unknown may be missing"
    assert last.sent > 0
    for message_id in unknown:
        assert world.message(message_id).error.startswith("The outcome is unknown")


def test_workers_side_by_side_share_the_messages(
    world: World, engine: Engine, make_settings: Callable[..., Settings], sinks: Sinks
) -> None:
    planned = [f"m{number:03}" for number in range(120)]
    world.plan_many(planned)
    settings = settings_for(make_settings, sinks, batch_size=5)
    together = threading.Barrier(3)

    def run(worker: str) -> int:
        together.wait()
        return deliver(engine, settings, worker=worker).sent

    with ThreadPoolExecutor(3) as pool:
        shares = list(pool.map(run, ["one", "two", "three"]))
    assert arrivals(sinks) == planned
    assert sum(shares) == len(planned)
    assert sum(share > 0 for share in shares) >= 2, "one worker did it all: nothing was tested"


def test_a_living_workers_claims_are_left_alone(
    world: World, engine: Engine, make_settings: Callable[..., Settings], sinks: Sinks
) -> None:
    world.plan_many(["m1", "m2"])
    settings = settings_for(make_settings, sinks)
    with engine.connect() as living, engine.begin() as connection:
        lock_session(living, WORKER_LOCK + "alive")
        connection.execute(text("update marketing.messages set state = 'sending', claimed_by = 'alive', attempts = 1"))
        connection.commit()
        summary = deliver(engine, settings, worker="other")
        living.invalidate()  # the session ends, as when its process dies
    assert (summary.sent, summary.orphans_unknown, summary.orphans_put_back) == (0, 0, 0)
    wait_until(lambda: not lock_is_held(engine, "alive"), "the session to end")
    summary = deliver(engine, settings, NINE + timedelta(minutes=10), worker="other")
    assert (summary.sent, summary.orphans_unknown, summary.orphans_put_back) == (1, 1, 1)
    assert world.states() == {"m1": "unknown", "m2": "sent"}
    assert world.message("m1").error.endswith("alive")
    assert world.message("m2").attempts == 1


def test_two_runs_cannot_bear_one_name(
    world: World, engine: Engine, make_settings: Callable[..., Settings], sinks: Sinks
) -> None:
    world.plan("m1")
    with engine.connect() as living:
        lock_session(living, WORKER_LOCK + "test")
        with pytest.raises(RuntimeError, match="a delivery run named 'test' is still at work"):
            deliver(engine, settings_for(make_settings, sinks))
        living.invalidate()
    wait_until(lambda: not lock_is_held(engine, "test"), "the session to end")
    assert deliver(engine, settings_for(make_settings, sinks)).sent == 1
    wait_until(lambda: not lock_is_held(engine, "test"), "the lock to end with the run")


def test_a_run_that_lost_its_session_sends_no_more(
    world: World, engine: Engine, make_settings: Callable[..., Settings], sinks: Sinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session that holds the lock is cut while the first message is under way."""
    from include.delivery.email_channel import EmailChannel

    world.plan_many(["m1", "m2", "m3"])
    send = EmailChannel.send

    def cut_and_send(channel: EmailChannel, message: object, *arguments: object, **named: object) -> object:
        with engine.begin() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                    " and database = (select oid from pg_database where datname = current_database())"
                )
            )
        return send(channel, message, *arguments, **named)  # type: ignore[arg-type]  # passed through as they came

    monkeypatch.setattr(EmailChannel, "send", cut_and_send)
    settings = settings_for(make_settings, sinks)
    with pytest.raises(Exception, match=r"terminating connection|server closed the connection"):
        deliver(engine, settings)
    monkeypatch.undo()
    assert arrivals(sinks) == ["m1"]
    summary = deliver(engine, settings, worker="next")
    assert (summary.sent, summary.orphans_unknown, summary.orphans_put_back) == (2, 1, 2)
    assert world.states() == {"m1": "unknown", "m2": "sent", "m3": "sent"}
    assert arrivals(sinks) == ["m1", "m2", "m3"]

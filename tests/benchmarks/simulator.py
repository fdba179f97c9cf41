"""The made-up shop: sixty days of events as a landing file, and the answers to a day's messages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

from include.settings import PROJECT_ROOT, Settings
from include.simulator import World, write_history
from include.simulator.clock import DayClock
from include.simulator.people import people_of
from include.simulator.reactions import reactions_to
from include.simulator.sent import Sent
from tests.benchmarks.figures import NO_LIMIT, Figure
from tests.benchmarks.peak_memory import peak_megabytes

DAYS = 60
EVENTS_PER_CUSTOMER = 100
"""What the other rooms' ten million events stand for: here, a hundred thousand customers."""
MAXIMUM_SECONDS, MAXIMUM_MEGABYTES = 300, 1024


def measure(folder: Path, events: int) -> list[Figure]:
    """Of a shop of ``events`` / EVENTS_PER_CUSTOMER customers, in a process of its own."""
    customers = max(100, events // EVENTS_PER_CUSTOMER)
    command = [sys.executable, "-m", "tests.benchmarks.simulator", str(folder / "simulator"), str(customers)]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout.splitlines()[-1])
    what = f"made-up shop of {customers:,} customers, {DAYS} days"
    return [
        Figure(
            what,
            told["seconds"],
            MAXIMUM_SECONDS,
            "s",
            f"{told['events']:,} events as Parquet, {told['worked']:.0f} s of one core",
        ),
        Figure(f"{what}: memory", told["megabytes"], MAXIMUM_MEGABYTES, "MB"),
        Figure(f"answers to {customers:,} messages", told["answers"], NO_LIMIT, "s"),
    ]


def _messages(world: World, clock: DayClock) -> Sent:
    """One to each customer at noon, with four items."""
    who, random = np.arange(world.customers), np.random.default_rng(1)
    return Sent(
        message_id=np.array([f"message-{number}" for number in who], dtype=object),
        campaign_id=np.full(len(who), world.campaigns[0].campaign_id, dtype=object),
        who=who,
        channel=who % 2,
        sent_at=clock.instant(people_of(world).zone, np.full(len(who), 12.0)),
        items=random.integers(0, world.items, (len(who), 4)),
        load=np.full(len(who), 2.0),
    )


def main(folder: Path, customers: int) -> None:
    """Print seconds, events and megabytes."""
    world = World(customers=customers, items=10_000, history_days=DAYS)
    settings = Settings(landing=str(folder / "landing"), artifacts=str(folder / "artifacts"))
    start, worked = time.perf_counter(), time.process_time()
    history = write_history(settings, world)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    day = world.first_night + timedelta(days=1)
    sent = _messages(world, DayClock.of(world, day, settings.business_time_zone))
    start = time.perf_counter()
    reactions_to(world, settings, day, sent)
    answers = time.perf_counter() - start
    shutil.rmtree(folder)
    figures = {"seconds": seconds, "worked": worked, "events": history.events, "answers": answers}
    print(json.dumps(figures | {"megabytes": peak_megabytes()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

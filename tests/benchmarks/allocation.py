"""Scarce hours for up to a million customers: seconds, memory and gap, and the exact flow beside HiGHS.

All 24 hours of two channels are open to each customer (48 slots), and there is room for 60% of the messages. Each
market is made and placed in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import time as clock
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from include.scheduling import flow
from include.scheduling.allocation import Market, allocate
from include.scheduling.contest import Contest
from include.settings import PROJECT_ROOT, SchedulingSettings
from tests import made_markets
from tests.benchmarks.figures import NO_LIMIT, Figure
from tests.benchmarks.peak_memory import peak_megabytes

ALL_HOURS = SchedulingSettings(quiet_from=clock(0), quiet_until=clock(0))
EXACT, MANY, TENTH, NIGHT = 10_000, 50_000, 100_000, 1_000_000
CAMPAIGNS = 3
"""Of the market in which each customer gets at most two messages."""
MAXIMUM_SECONDS, NIGHT_SECONDS = 10.0, 60.0
MAXIMUM_MEGABYTES = 2048
MAXIMUM_GAP = 0.1
LINEAR = NIGHT / TENTH
SEED = 17


def measure(folder: Path, events: int) -> list[Figure]:
    """folder, events: not used; the markets are of these sizes."""
    ours, highs, difference = _worker("exact", EXACT, 1)
    many, tenth, night = _worker("place", MANY, CAMPAIGNS), _worker("place", TENTH, 1), _worker("place", NIGHT, 1)
    budgeted = _worker("budgets", NIGHT, 1)
    figures = [
        Figure(
            f"exact flow, {EXACT:,} customers × 48 slots",
            ours / highs,
            1.0,
            "×",
            f"{ours:.2f} s, HiGHS {highs:.2f} s, values differ by {difference:.1e}",
        ),
        Figure(f"{MANY:,} customers × {CAMPAIGNS} campaigns × 48 slots, at most 2 each", many[0], MAXIMUM_SECONDS, "s"),
        Figure(
            "growth from 100,000 to 1,000,000 customers", night[0] / tenth[0], LINEAR, "×", f"{tenth[0]:.1f} s before"
        ),
    ]
    for what, (seconds, megabytes, gap, own) in (("", night), (", with budget and days", budgeted)):
        of = f"{NIGHT:,} customers × 48 slots{what}"
        figures += [
            Figure(of, seconds, NIGHT_SECONDS, "s"),
            Figure(f"{of}: memory", megabytes, MAXIMUM_MEGABYTES, "MB", f"peak; {own:.0f} MB before"),
            Figure(f"{of}: gap", 100 * gap, MAXIMUM_GAP, "%", f"{gap:.1e} of the bound"),
        ]
    return [*figures, Figure("by arrival, 10,000 customers: loss", _worker("arrival", EXACT, 1)[0], NO_LIMIT, "%")]


def _worker(task: str, customers: int, campaigns: int) -> list[float]:
    command = [sys.executable, "-m", "tests.benchmarks.allocation", task, str(customers), str(campaigns)]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout.splitlines()[-1])


def _market(customers: int, campaigns: int, scarcer: bool) -> Market:
    return made_markets.market(
        customers,
        SEED,
        campaigns=campaigns,
        channels=2,
        room=0.6,
        day_room=0.5 if scarcer else 1.0,
        budget=0.4 if scarcer else np.inf,
        scheduling=ALL_HOURS,
    )


def main(task: str, customers: str, campaigns: str) -> None:
    market = _market(int(customers), int(campaigns), task == "budgets")
    if task == "exact":
        print(json.dumps(_beside_highs(market)))
    elif task == "arrival":
        best = allocate(market).value
        print(json.dumps([100 * (1 - made_markets.by_arrival(market).value / best)]))
    else:
        before, started = peak_megabytes(), time.perf_counter()
        found = allocate(market)
        print(json.dumps([time.perf_counter() - started, peak_megabytes(), found.gap, before]))


def _beside_highs(market: Market) -> tuple[float, float, float]:
    """Seconds of the flow and of HiGHS's linear programming, whose answer is whole here, and how far apart they are."""
    started = time.perf_counter()
    contest = Contest.whole(market)
    chosen = flow.solve(contest, contest.value).chosen
    ours, started = time.perf_counter() - started, time.perf_counter()
    arcs = np.arange(len(contest))
    rows, row = np.unique(contest.row, return_inverse=True)
    one = np.ones(len(contest))
    table = vstack(
        [
            csr_array((one, (row, arcs)), shape=(len(rows), len(arcs))),
            csr_array((one, (contest.slot, arcs)), shape=(len(market.capacity), len(arcs))),
        ]
    )
    most = np.concatenate([np.ones(len(rows)), market.capacity])
    best = linprog(-contest.value, table, most, bounds=(0, 1), method="highs")
    return ours, time.perf_counter() - started, abs(contest.value[chosen].sum() / -best.fun - 1)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""``make science ROOM=allocation``: who gets scarce hours, beside what HiGHS makes of the same markets.

50 made-up markets of 20 to 150 customers, in five time zones on days when clocks change, with scarce hours, days,
customers' limits and budgets: each is placed at once, by prices as large markets are, and by arrival, which must fail.
Then 1,000 markets of any small shape and 1,000 on real clocks, none of which may be overdrawn. Everything here is made
up, from seeds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.scheduling.allocation import Market, allocate
from tests import made_markets
from tests.made_markets import best_value, by_arrival, violations

MARKETS = 50
WORTH_AT_LEAST = 0.999
"""Of what HiGHS finds."""
CASES = 1_000
AT_ONCE, BY_PRICES = 10**9, 0


def instance(number: int) -> Market:
    """A market of which something is scarce; every second one has budgets."""
    random = np.random.default_rng([number, 21])
    campaigns = int(random.integers(1, 4))
    return made_markets.market(
        int(random.integers(20, 150)),
        seed=number,
        campaigns=campaigns,
        channels=int(random.integers(1, 3)),
        limit=int(random.integers(1, 3)),
        room=float(random.uniform(0.2, 0.8)),
        day_room=float(random.choice([1.0, 0.5, 0.3])),
        budget=float(random.uniform(0.1, 0.6)) if number % 2 else np.inf,
        day=made_markets.CLOCK_CHANGES[number % len(made_markets.CLOCK_CHANGES)],
    )


def beside_highs() -> list[str]:
    """What is missed; the figures are printed."""
    missed, shares, started = [], [], time.perf_counter()
    for number in range(MARKETS):
        market = instance(number)
        best, arrived = best_value(market), by_arrival(market)
        found = [allocate(market, whole) for whole in (AT_ONCE, BY_PRICES)]
        for allocation in (*found, arrived):
            missed += [f"market {number}: {broken}" for broken in violations(market, allocation)]
        for allocation in found:
            if allocation.bound < best * (1 - 1e-6):
                missed.append(f"market {number}: bound {allocation.bound}, but HiGHS finds {best}")
        shares.append([allocation.value / best for allocation in (*found, arrived)])
    worst, mean = np.min(shares, axis=0), np.mean(shares, axis=0)
    print(f"{MARKETS} markets, value as a share of what HiGHS finds   {time.perf_counter() - started:.0f} s")
    for name, lowest, usual in zip(("at once", "by prices", "by arrival"), worst, mean, strict=True):
        print(f"  {name:10}  worst {lowest:.5f}  mean {usual:.5f}", flush=True)
    if worst[:2].min() < WORTH_AT_LEAST:
        missed.append(f"a market is worth {worst[:2].min():.5f} of what HiGHS finds, wanted {WORTH_AT_LEAST}")
    if mean[2] >= WORTH_AT_LEAST:
        missed.append("by arrival would do as well: the test proves nothing")
    return missed


def never_overdrawn() -> list[str]:
    missed: list[str] = []

    def check(market: Market, whole: int) -> None:
        missed.extend(violations(market, allocate(market, whole)))

    @hypothesis_settings(max_examples=CASES, deadline=None, derandomize=True, database=None)
    @given(market=made_markets.any_markets(), whole=st.sampled_from([AT_ONCE, BY_PRICES]))
    def any_shape(market: Market, whole: int) -> None:
        check(market, whole)

    @hypothesis_settings(max_examples=CASES, deadline=None, derandomize=True, database=None)
    @given(case=made_markets.clock_markets(), whole=st.sampled_from([AT_ONCE, BY_PRICES]))
    def real_clocks(case: tuple[Any, Market], whole: int) -> None:
        day, market = case
        found = allocate(market, whole)
        missed.extend(violations(market, found))
        missed.extend(made_markets.wrong_hours(day, market, found))

    for name, cases in (("of any shape", any_shape), ("on real clocks", real_clocks)):
        started, before = time.perf_counter(), len(missed)
        cases()
        seconds = time.perf_counter() - started
        print(f"{CASES:,} markets {name}: {len(missed) - before} violations   {seconds:.0f} s", flush=True)
    return missed


def main() -> int:
    """Print every figure; 1 where a bar is missed."""
    missed = beside_highs() + never_overdrawn()
    for line in missed[:50]:
        print("MISSED", line, file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

"""Who may go where budgets are short: none is overdrawn, little is missed, and those that hardly bind cost no time."""

from __future__ import annotations

import numpy as np
import pytest

from include.scheduling import budgeted
from include.scheduling.admission import SMALL, Admission, admit
from include.scheduling.market import NONE, Market, used
from tests import made_markets


def spent(market: Market, found: Admission) -> np.ndarray:
    goes = np.flatnonzero(found.choice != NONE)
    return np.bincount(market.campaign[goes], market.cost[goes], minlength=len(market.budget))


def keeps(market: Market, found: Admission) -> bool:
    goes = np.flatnonzero(found.choice != NONE)
    slots, groups, money = used(market, goes, found.choice[goes])
    return bool(
        (slots <= market.capacity).all()
        and (groups <= market.group_capacity).all()
        and (money <= market.budget * (1 + 1e-9)).all()
        and (np.bincount(market.owner[goes], minlength=len(market.limit)) <= market.limit).all()
    )


@pytest.mark.parametrize("budget", [0.1, 0.55, 2.0])
def test_nothing_scarce_is_overdrawn_and_little_is_missed(budget: float) -> None:
    market = made_markets.market(2000, 1, campaigns=3, budget=budget)
    assert np.isfinite(market.values).sum() > SMALL
    found = admit(market)
    assert keeps(market, found)
    assert found.value >= 0.98 * found.bound


def test_budgets_that_hardly_bind_are_kept_without_branching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of alike rows a solver that branches may try for minutes which of them to leave out."""
    market = made_markets.market(2000, 1, campaigns=3, alike=True)
    unbound = admit(market)
    market.budget[:] = spent(market, unbound) * 0.9999

    def branching(*_: object, **__: object) -> None:
        raise AssertionError("no budget of a large market is kept by branching")

    monkeypatch.setattr(budgeted, "solve", branching)
    found = admit(market)
    assert keeps(market, found)
    assert found.value >= 0.98 * unbound.value

"""Which message gets which slot, all of them decided together. Arrays in, arrays out.

Where no slot, group or budget is short, every row takes what is best for it. Where some are, prices are found
(``prices``) at which free choice nearly keeps within everything; rows that would do the same at prices a little higher
or lower keep their choice, and the few others are placed exactly: by a min-cost flow (``flow``), or, where money binds,
by mixed-integer programming (``budgeted``). The prices that come out of that are put to all rows again, and whoever is
not content joins the few, until what is earned meets the dual's bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from include.scheduling import budgeted, flow
from include.scheduling.contest import Contest, near_arcs
from include.scheduling.market import (
    EXACT,
    NONE,
    ROUNDING,
    ROWS_AT_ONCE,
    Demand,
    Floats,
    Integers,
    Market,
    Mask,
    Numbers,
    Prices,
    demand,
    used,
)
from include.scheduling.prices import NUDGE, find_prices, told_apart

__all__ = ["Allocation", "Market", "Prices", "allocate", "find_prices"]

WHOLE = 100_000
"""Arcs of a market that is placed at once, without prices first."""
WHOLE_BUDGETED = 3_000
"""The same where a budget binds."""
CONTESTED = 10_000
"""Rows placed exactly in a large market: at most a quarter of all, but more where the others leave too little room."""
CONTESTED_BUDGETED = 1_000
PLACING_GAP, BUDGETED_GAP = 1e-5, 1e-4
"""Where a budget binds, what the placing of the contested rows may miss, and the gap that is small enough."""
ROUNDS = 6
NEAR = 2.0
"""A contested row may take choices that lose so many times as much as would make a row contested."""


@dataclass(frozen=True)
class Allocation:
    """slot, choice: (rows,), -1 for none. prices: (slots,) of one more message, 0 where there is room.

    budget_prices: (campaigns,) of one more unit of money. bound: no allocation earns more.
    """

    slot: Numbers
    choice: Numbers
    prices: Floats
    budget_prices: Floats
    value: float
    bound: float

    @property
    def gap(self) -> float:
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


def allocate(market: Market, whole: int = WHOLE) -> Allocation:
    """The most valuable allocation within all limits, capacities and budgets; ``gap`` says how far it may be from it.

    Without a budget that binds it is the best but for rounding. The same market always gets the same allocation. Money
    adds up to no more than a budget but for the last digits of a float.

    whole: markets of so few arcs (pairs of row and choice worth something) are placed at once.
    """
    market = replace(market, budget=_in_whole_messages(market))
    free = Prices.free(market)
    asked = demand(market, free)
    choice = np.where(asked.taken, asked.choice, NONE)
    if _keeps(market, choice):
        return _allocation(market, choice, free, asked.surplus())
    if _has_at_most(whole, market):
        contest = Contest.whole(market)
        placed = flow.solve(contest, contest.value)
        choice = _choice(contest, placed.chosen)
        if _keeps(market, choice):
            prices = replace(free, slot=placed.slot_price, group=placed.group_price)
            return _allocation(market, choice, prices, _bound(market, prices))
        if len(contest) <= WHOLE_BUDGETED:
            placing = budgeted.solve(contest, tolerance=EXACT * asked.surplus())
            bound = min(placing.bound, _bound(market, placing.prices))
            return _allocation(market, _choice(contest, placing.chosen), placing.prices, bound)
    apart = told_apart(market)
    found, prices = _close_in(apart, find_prices(apart))
    return found if apart is market else replace(found, bound=max(found.value, _bound(market, prices)))


def _has_at_most(arcs: int, market: Market) -> bool:
    """Whether no more pairs of row and choice are worth something; looks no further than it must."""
    for start in range(0, len(market), ROWS_AT_ONCE):
        arcs -= int(np.count_nonzero(market.values[start : start + ROWS_AT_ONCE] > 0))
        if arcs < 0:
            return False
    return True


def _in_whole_messages(market: Market) -> Floats:
    """(campaigns,) budgets without what no message could use, where all messages of a campaign cost the same."""
    campaigns = len(market.budget)
    least, most = np.full(campaigns, np.inf), np.zeros(campaigns)
    np.minimum.at(least, market.campaign, market.cost)
    np.maximum.at(most, market.campaign, market.cost)
    same = (least == most) & (most > 0) & np.isfinite(market.budget)
    unit = np.where(same, most, 1.0)
    return np.where(
        same, np.minimum(market.budget, np.floor(market.budget / unit * (1 + ROUNDING)) * unit), market.budget
    )


def _close_in(market: Market, prices: Prices) -> tuple[Allocation, Prices]:
    """Place exactly what is contested at prices, ask everybody at the prices that come of it, and so on.

    (Column generation: Desrosiers & Lübbecke 2005.)
    """
    asked = demand(market, prices)
    bound = asked.surplus() + prices.earned(market)
    contested = _Contested.at(market, prices, asked)

    def enough(prices: Prices) -> float:
        return BUDGETED_GAP if prices.budget.any() else EXACT if market.nudge is None else NUDGE

    for _ in range(ROUNDS):
        choice, prices = _solve(contested.contest, contested.kept, prices, bound)
        asked = demand(market, prices)
        bound = min(bound, asked.surplus() + prices.earned(market))
        found = _allocation(market, choice, prices, bound)
        discontent = _discontent(market, prices, asked, choice)
        if found.gap <= enough(prices) or not discontent.any():
            break
        contested = contested.joined(discontent, choice, prices, asked)
    return found, prices


@dataclass(frozen=True)
class _Contested:
    """kept: (rows,) choice of whoever is not contested. owners: (owners,) mask of the others. tolerance: money."""

    market: Market
    kept: Integers
    owners: Mask
    contest: Contest
    tolerance: float

    @classmethod
    def at(cls, market: Market, prices: Prices, asked: Demand) -> _Contested:
        """Rows that a small change of prices would move: so many that what the others keep leaves them room."""
        margin, choice = asked.margin, np.where(asked.taken, asked.choice, NONE)
        furthest = float(margin[np.isfinite(margin)].max(initial=0))
        size = min(CONTESTED_BUDGETED if prices.budget.any() else CONTESTED, len(market) // 4 + 1)
        while True:
            tolerance = min(float(np.partition(margin, size - 1)[size - 1]), furthest)
            owners = np.zeros(len(market.limit), bool)
            owners[market.owner[margin <= tolerance]] = True
            kept = np.where(owners[market.owner], NONE, choice)
            row, option = near_arcs(market, prices, _least(market, asked, owners, NEAR * tolerance))
            contest = Contest.beside(market, kept, row, option)
            if contest is not None:
                return cls(market, kept, owners, contest, NEAR * tolerance)
            size = min(2 * size, len(market))

    def joined(self, owners: Mask, choice: Integers, prices: Prices, asked: Demand) -> _Contested:
        """With these owners too, and whatever any of the contested would rather have at these prices."""
        market, owners = self.market, owners | self.owners
        row, option = near_arcs(market, prices, _least(market, asked, owners, self.tolerance))
        placed = np.flatnonzero(owners[market.owner] & (choice != NONE))
        width = market.values.shape[1]
        arcs = [rows * width + of for rows, of in ((row, option), (placed, choice[placed]))]
        arcs.append(self.contest.row * width + self.contest.choice)
        row, option = np.divmod(np.unique(np.concatenate(arcs)), width)
        kept = np.where(owners[market.owner], NONE, choice)
        contest = Contest.beside(market, kept, row, option)
        if contest is None:
            raise RuntimeError("fewer rows than before keep their choice, and yet take more than there is")
        return replace(self, kept=kept, owners=owners, contest=contest)


def _least(market: Market, asked: Demand, owners: Mask, tolerance: float) -> Floats:
    """(rows,) net from which on a choice is within ``tolerance`` of the best its owner could do."""
    least = np.where(asked.taken, asked.net, asked.bar) - tolerance
    least[~owners[market.owner]] = np.inf
    return least


def _solve(contest: Contest, kept: Integers, prices: Prices, bound: float) -> tuple[Integers, Prices]:
    """(rows,) choice of every row of the market, and the prices at which the contested rows are content with theirs."""
    market = contest.market
    if not prices.budget.any():
        placed = flow.solve(contest, contest.value)
        choice = _choice(contest, placed.chosen, kept)
        if _keeps(market, choice):
            return choice, replace(prices, slot=placed.slot_price, group=placed.group_price)
    placing = budgeted.solve(contest, tolerance=PLACING_GAP * bound)
    return _choice(contest, placing.chosen, kept), placing.prices


def _choice(contest: Contest, chosen: Mask, kept: Integers | None = None) -> Integers:
    choice = np.full(len(contest.market), NONE) if kept is None else kept.copy()
    choice[contest.row[chosen]] = contest.choice[chosen]
    return choice


def _discontent(market: Market, prices: Prices, asked: Demand, choice: Integers) -> Mask:
    """(owners,): whose rows would together rather have something else at these prices."""
    rows = np.flatnonzero(choice != NONE)
    net = market.worth(rows, choice[rows]) - prices.of_choices(market)[market.zone[rows], choice[rows]]
    net -= prices.of_rows(market)[rows]
    owners = len(market.limit)
    wanted = np.bincount(market.owner[asked.taken], asked.net[asked.taken], minlength=owners)
    got = np.bincount(market.owner[rows], net, minlength=owners)
    return wanted - got > EXACT * max(float(wanted.max(initial=0)), np.finfo(float).tiny)


def _keeps(market: Market, choice: Integers) -> bool:
    """Whether choices keep within all that is scarce."""
    rows = np.flatnonzero(choice != NONE)
    slots, groups, money = used(market, rows, choice[rows])
    return bool(
        (slots <= market.capacity).all()
        and (groups <= market.group_capacity).all()
        and (money <= market.budget * (1 + 2 * ROUNDING)).all()
    )


def _bound(market: Market, prices: Prices) -> float:
    return demand(market, prices).surplus() + prices.earned(market)


def _allocation(market: Market, choice: Integers, prices: Prices, bound: float) -> Allocation:
    rows = np.flatnonzero(choice != NONE)
    slot = np.full(len(market), NONE)
    slot[rows] = market.slot_of[market.zone[rows], choice[rows]]
    value = float(market.values[rows, choice[rows]].astype(np.float64).sum())
    return Allocation(slot, choice.astype(np.int64), prices.of_slots(market), prices.budget, value, max(bound, value))

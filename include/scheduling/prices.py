"""Prices of scarce slots, groups and budgets at which free choice nearly keeps within them. Arrays in, arrays out.

The dual of the allocation (Geoffrion 1974: Lagrangian relaxation) is

    D(y) = Σ_owner best(values − prices) + Σ y · scarce        y ≥ 0: one price per slot, group and budget

Its minimum is the linear relaxation's value, so every D(y) bounds what any allocation can earn. It is convex with many
small kinks; seen over many rows it is smooth, its slope the room left and its curvature the density of rows that
hesitate between two choices. So prices are found by Newton's method within a trust region (Conn, Gould & Toint 2000),
with that density counted within the region: first on a few owners with their share of everything scarce, then on all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import lsq_linear
from scipy.sparse import csr_array

from include.scheduling import flow
from include.scheduling.contest import Contest
from include.scheduling.market import EXACT, NONE, Demand, Floats, Integers, Market, Mask, Numbers, Prices, demand, used

SAMPLE = 4_000
"""Rows whose exact prices come first."""
GROWTH = 16
"""Each later sample has so many times the rows."""
STEPS = 30
HESITANT = 0.1
"""Share of the rows within the first radius."""
COUNTED = 100_000
"""Rows near a change that the curvature is counted from; more would say the same."""
SMALL, SMALLEST = 1e-6, 1e-11
"""Of the dual's value, a step that promises less is not worth its time: where demand nearly fits, and at all."""
NEARLY = 0.01
"""Of all messages, so many too many nearly fit."""
ALIKE = 0.1
"""Share of a sample's rows undecided at exact prices from which on too many are alike to be told apart by prices."""
NUDGE = 1e-5
"""Of the mean value, what alike rows are told apart by."""


def find_prices(market: Market) -> Prices:
    """Prices near the dual's minimum, all zero where nothing is scarce; deterministic."""
    factor = _factor(market)
    prices = _exact(market, factor)[0]
    while factor > 1:
        factor = max(factor // GROWTH, 1)
        prices = _descend(_sample(market, factor), prices)
    return prices


def told_apart(market: Market) -> Market:
    """The market, with values nudged where prices alone could not tell its rows apart (Bertsekas 1988: perturbation).

    Of customers of whom nothing is known all may be worth the same; any price would then move all or none.
    """
    prices, sample = _exact(market, _factor(market))
    asked = demand(sample, prices)
    rows = np.flatnonzero(asked.taken)
    worth = float(sample.worth(rows, asked.choice[rows]).mean()) if len(rows) else 0.0
    undecided = asked.margin <= EXACT * worth
    return market.nudged(NUDGE * worth) if undecided.mean() > ALIKE else market


def _factor(market: Market) -> int:
    return max(round(len(market) / SAMPLE), 1)


def _exact(market: Market, factor: int) -> tuple[Prices, Market]:
    """Prices of one owner in ``factor``, as if money were no object, and their market."""
    sample = _sample(market, factor)
    whole = replace(sample, capacity=np.round(sample.capacity), group_capacity=np.round(sample.group_capacity))
    contest = Contest.whole(whole)
    placed = flow.solve(contest, contest.value)
    return replace(Prices.free(market), slot=placed.slot_price, group=placed.group_price), whole


def _sample(market: Market, factor: int) -> Market:
    drawn = _drawn(len(market.limit), factor)
    share = float(drawn[market.owner].mean())
    return market.of_owners(drawn, share) if factor > 1 and share > 0 else market


def _drawn(owners: int, factor: int) -> Mask:
    """One owner in ``factor``, spread evenly and without regard to any order (Knuth's multiplicative hash)."""
    return (np.arange(owners, dtype=np.uint64) * 2_654_435_761) % 2**32 < 2**32 // factor


@dataclass(frozen=True)
class _Scarce:
    """The constraints that could bind, and how messages use them. amount: (constraints,)."""

    market: Market
    live: Numbers
    """Positions among slots, groups and campaigns, one after the other."""
    amount: Floats
    unit: Floats
    """What one message uses, in the mean."""

    @classmethod
    def of(cls, market: Market) -> _Scarce:
        spent = np.bincount(market.campaign, market.cost, minlength=len(market.budget))
        amount = np.concatenate(market.scarce).astype(np.float64)
        most = np.concatenate([np.full(len(market.capacity) + len(market.group_capacity), float(len(market))), spent])
        unit = np.ones(len(amount))
        sent = np.bincount(market.campaign, minlength=len(market.budget))
        unit[len(amount) - len(spent) :] = spent / np.maximum(sent, 1)
        live = np.flatnonzero(amount < most)
        return cls(market, live, amount[live], unit[live])

    def use(self, rows: Integers, choices: Integers) -> csr_array:
        """(rows, constraints): what one message of each uses; nothing where ``rows`` is -1."""
        market, slots = self.market, len(self.market.capacity)
        groups = len(market.group_capacity)
        real = np.flatnonzero(rows != NONE)
        rows = rows[real]
        slot = market.slot_of[market.zone[rows], choices[real]]
        columns = np.concatenate([slot, slots + market.group[slot], slots + groups + market.campaign[rows]])
        amounts = np.concatenate([np.ones(2 * len(rows)), market.cost[rows]])
        shape = (len(choices), slots + groups + len(market.budget))
        return csr_array((amounts, (np.tile(real, 3), columns)), shape=shape)[:, self.live]

    def prices(self, values: Floats) -> Prices:
        market = self.market
        slots, groups = len(market.capacity), len(market.group_capacity)
        whole = np.zeros(slots + groups + len(market.budget))
        whole[self.live] = values
        return Prices(whole[:slots], whole[slots : slots + groups], whole[slots + groups :])

    def values(self, prices: Prices) -> Floats:
        return np.concatenate([prices.slot, prices.group, prices.budget])[self.live]


@dataclass(frozen=True)
class _Point:
    """The dual at one vector of prices: its value, its slope (the room left), and the demand there."""

    price: Floats
    value: float
    slope: Floats
    demand: Demand

    @classmethod
    def at(cls, scarce: _Scarce, price: Floats) -> _Point:
        asked = demand(scarce.market, scarce.prices(price))
        rows = np.flatnonzero(asked.taken)
        taken = np.concatenate(used(scarce.market, rows, asked.choice[rows]))[scarce.live]
        return cls(price, asked.surplus() + float(price @ scarce.amount), scarce.amount - taken, asked)

    def too_many(self, scarce: _Scarce) -> float:
        """Messages beyond what is scarce, as a share of all."""
        return float(np.maximum(-self.slope / scarce.unit, 0).sum()) / max(1, int(self.demand.taken.sum()))


def _descend(market: Market, start: Prices) -> Prices:
    """Newton's steps within a radius: as far as hesitant rows were counted, the model may be believed."""
    scarce = _Scarce.of(market)
    if not len(scarce.live) or not len(market):
        return Prices.free(market)
    point = _Point.at(scarce, scarce.values(start))
    margin = point.demand.margin
    radius = float(np.quantile(margin[np.isfinite(margin)], HESITANT)) if np.isfinite(margin).any() else 0.0
    for _ in range(STEPS):
        if radius <= 0:
            break
        wanted, promised = _newton(scarce, point, radius)
        if promised <= (SMALL if point.too_many(scarce) <= NEARLY else SMALLEST) * point.value:
            break
        tried = _Point.at(scarce, wanted)
        gained = point.value - tried.value
        moved = float((np.abs(wanted - point.price) * scarce.unit).max())
        if gained > 0:
            point = tried
        if gained < 0.1 * promised:
            radius = moved / 4
        else:
            radius = 2 * moved if gained > 0.7 * promised and moved >= 0.99 * radius else moved
    return scarce.prices(point.price)


def _newton(scarce: _Scarce, point: _Point, radius: float) -> tuple[Floats, float]:
    """Prices ≥ 0 no further than ``radius`` that minimise the dual's second-order model, and by how much."""
    curvature = _curvature(scarce, point.demand, radius)
    # A constraint nobody hesitates at: as if one message did.
    curvature[np.diag_indices_from(curvature)] += scarce.unit**2 / (2 * radius)
    scale = 1 / np.sqrt(np.diag(curvature))
    root = np.linalg.cholesky(curvature * scale[:, None] * scale).T
    target = solve_triangular(root, -scale * point.slope, trans="T")
    furthest = radius / scarce.unit
    bounds = (np.maximum(-point.price, -furthest) / scale, furthest / scale)
    step = scale * lsq_linear(root, target, bounds, method="bvls").x
    promised = -float(point.slope @ step + step @ curvature @ step / 2)
    return np.maximum(point.price + step, 0), promised


def _curvature(scarce: _Scarce, asked: Demand, bandwidth: float) -> Floats:
    """(constraints, constraints): how use answers to prices, from rows that would change within ``bandwidth``."""
    rows = np.arange(len(asked.net))
    between = asked.taken & (asked.net - asked.second < bandwidth)
    # Two rows of one owner that vie for a place are one change: it is counted at the row that has the place.
    leaving = (asked.taken & (asked.net - asked.bar < bandwidth)) | (
        ~asked.taken & (asked.rival == NONE) & (asked.bar - asked.net < bandwidth)
    )
    leaving &= asked.choice != NONE
    moved, left = rows[between], rows[leaving]
    to = np.concatenate([moved, asked.rival[left]])
    away = np.concatenate([moved, left])
    to_choice = np.concatenate([asked.second_choice[moved], asked.choice[asked.rival[left]]])
    away_choice = asked.choice[away]
    thinned = slice(None, None, max(1, len(away) // COUNTED))
    weight = len(away) / max(1, len(away[thinned]))
    change = scarce.use(away[thinned], away_choice[thinned]) - scarce.use(to[thinned], to_choice[thinned])
    return np.asarray((change.T @ change).todense()) * weight / (2 * bandwidth)

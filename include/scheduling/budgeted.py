"""The best placing of rows where budgets bind: a mixed-integer programme for HiGHS (Huangfu & Hall 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from include.scheduling.contest import Contest
from include.scheduling.market import Floats, Mask, Numbers, Prices

NODES = 200
"""Branches after which the best placing so far is taken: a count, not a time, so that a rerun agrees."""


@dataclass(frozen=True)
class Placing:
    """chosen: (arcs,) mask, at most one per row. prices: of the linear relaxation. bound: no placing is worth more."""

    chosen: Mask
    prices: Prices
    bound: float


def solve(contest: Contest, tolerance: float) -> Placing:
    """A placing that is at most ``tolerance`` (money) from the best, unless that took too many branches."""
    market = contest.market
    rows, row = np.unique(contest.row, return_inverse=True)
    owners, owner = np.unique(market.owner[contest.row], return_inverse=True)
    money = np.maximum(market.cost[contest.row].mean(), np.finfo(float).tiny) if len(contest) else 1.0
    scarce = (
        (contest.slot, np.ones(len(contest)), contest.capacity),
        (market.group[contest.slot], np.ones(len(contest)), contest.group_capacity),
        # In messages of mean cost: HiGHS keeps constraints to an absolute tolerance.
        (market.campaign[contest.row], market.cost[contest.row] / money, contest.budget / money),
    )
    private = (
        (row, np.ones(len(contest)), np.ones(len(rows))),
        (owner, np.ones(len(contest)), market.limit[owners].astype(np.float64)),
    )
    table = vstack([_sums(*constraint) for constraint in (*scarce, *private)], format="csr")
    most = np.concatenate([constraint[2] for constraint in (*scarce, *private)])
    binding = np.flatnonzero(table.sum(axis=1) > most)
    table, most = table[binding], most[binding]
    unit = max(float(contest.value.max(initial=0)), np.finfo(float).tiny)
    worth = -contest.value / unit

    relaxed = linprog(worth, table, most, bounds=(0, 1), method="highs")
    dual = np.zeros(sum(len(constraint[2]) for constraint in (*scarce, *private)))
    dual[binding] = np.maximum(-relaxed.ineqlin.marginals * unit, 0)
    slots, groups, budgets = (len(constraint[2]) for constraint in scarce)
    prices = Prices(dual[:slots], dual[slots : slots + groups], dual[slots + groups : slots + groups + budgets] / money)
    most_value = max(float(-(relaxed.fun or 0)) * unit, np.finfo(float).tiny)
    found = milp(
        worth,
        integrality=np.ones(len(contest), np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(table, ub=most),
        options={"mip_rel_gap": min(tolerance / most_value, 0.5), "node_limit": NODES},
    )
    if found.x is None:
        raise RuntimeError(f"HiGHS found no placing, though to place nothing is one: {found.message}")
    return Placing(_affordable(contest, found.x > 0.5), prices, -found.mip_dual_bound * unit)


def _sums(of: Numbers, amount: Floats, most: Floats) -> csr_array:
    return csr_array((amount, (of, np.arange(len(of)))), shape=(len(most), len(of)))


def _affordable(contest: Contest, chosen: Mask) -> Mask:
    """Without the least valuable rows of campaigns that the solver's tolerance let overspend."""
    campaign, cost = contest.market.campaign[contest.row], contest.market.cost[contest.row]
    chosen = chosen.copy()
    for number in range(len(contest.budget)):
        own = np.flatnonzero(chosen & (campaign == number))
        own = own[np.argsort(-contest.value[own], kind="stable")]
        chosen[own[np.cumsum(cost[own]) > contest.budget[number]]] = False
    return chosen

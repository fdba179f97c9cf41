"""Who may go where hours, days or budgets are short, and at what prices. Arrays in, arrays out.

Without budgets that bind the allocation is exact. Of a large market with budgets, first prices are found for all that
is scarce at once; a budget then goes to the messages of its campaign that are worth most beyond these prices, and their
places are found exactly. So a budget is never overdrawn, and what is missed are a few messages that were worth about as
much as their prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from include.scheduling.allocation import allocate, find_prices
from include.scheduling.market import NONE, Market, demand
from include.scheduling.night import Floats, Mask, Numbers

SMALL = 20_000
"""Rows × choices of a market whose budgets are kept exactly, too."""


@dataclass(frozen=True)
class Admission:
    """choice: (rows,), NONE of whoever does not go. slot_price: (slots,), of a message; budget_price: (campaigns,), of
    a unit of money. value: money; bound: none could be worth more.
    """

    choice: Numbers
    slot_price: Floats
    budget_price: Floats
    value: float
    bound: float


def admit(market: Market) -> Admission:
    """The same for the same market, in whatever order chance draws afterwards."""
    if not np.isfinite(market.budget).any() or np.isfinite(market.values).sum() <= SMALL:
        return _exactly(market)
    prices = find_prices(market)
    if not prices.budget.any():
        # Budgets that hardly bind, or bind rows that are all alike: to keep them exactly could take minutes.
        return _affordable(market, _exactly(_without_budgets(market)))
    asked = demand(market, prices)
    with np.errstate(invalid="ignore"):
        lead = np.where(asked.choice == NONE, -np.inf, asked.net - asked.bar)
    paid = np.flatnonzero(_within_budgets(market, lead))
    costs = prices.budget[market.campaign[paid]] * market.cost[paid]
    placed = _exactly(
        replace(
            _without_budgets(market),
            values=market.values[paid] - costs[:, None].astype(market.values.dtype),
            zone=market.zone[paid],
            owner=market.owner[paid],
            campaign=market.campaign[paid],
            cost=market.cost[paid],
        )
    )
    choice = np.full(len(market), NONE)
    choice[paid] = placed.choice
    goes = np.flatnonzero(choice != NONE)
    value = float(market.worth(goes, choice[goes]).sum())
    bound = asked.surplus() + prices.earned(market)
    return Admission(choice, placed.slot_price, prices.budget, value, max(bound, value))


def _exactly(market: Market) -> Admission:
    found = allocate(market)
    return Admission(found.choice, found.prices, found.budget_prices, found.value, found.bound)


def _without_budgets(market: Market) -> Market:
    return replace(market, budget=np.full(len(market.budget), np.inf))


def _affordable(market: Market, found: Admission) -> Admission:
    """Without the rows worth least of campaigns that overspend; the best of these says what their money is worth."""
    goes = np.flatnonzero(found.choice != NONE)
    worth = np.full(len(market), -np.inf)
    worth[goes] = market.worth(goes, found.choice[goes])
    kept = _within_budgets(market, worth)
    broke = goes[~kept[goes]]
    slot = market.slot_of[market.zone[broke], found.choice[broke]]
    price = np.zeros(len(market.budget))
    np.maximum.at(price, market.campaign[broke], (worth[broke] - found.slot_price[slot]) / market.cost[broke])
    choice = np.where(kept, found.choice, NONE)
    value = float(worth[choice != NONE].sum())
    return replace(found, choice=choice, budget_price=price, value=value)


def _within_budgets(market: Market, lead: Floats) -> Mask:
    """(rows,): all of campaigns without a budget, and of the others those in the lead, as far as the money goes."""
    kept = np.isinf(market.budget)[market.campaign]
    for campaign in np.flatnonzero(np.isfinite(market.budget)):
        rows = np.flatnonzero((market.campaign == campaign) & np.isfinite(lead))
        rows = rows[np.argsort(-lead[rows], kind="stable")]
        kept[rows] = np.cumsum(market.cost[rows]) <= market.budget[campaign] * (1 + 1e-9)
    return kept

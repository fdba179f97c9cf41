"""The rows that want the same scarce slots, and what is left for them: small enough to be solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.scheduling.market import NONE, ROUNDING, Floats, Integers, Market, Numbers, Prices, nets, used


@dataclass(frozen=True)
class Contest:
    """A part of a market as a list of arcs: pairs of a row and a choice.

    row, choice: (arcs,) of the market, ordered by row; slot, value: (arcs,). The rest: what the part may use, by slot
    (slots,), group (groups,) and campaign (campaigns,), never negative.
    """

    market: Market
    row: Numbers
    choice: Numbers
    slot: Numbers
    value: Floats
    capacity: Floats
    group_capacity: Floats
    budget: Floats

    @classmethod
    def whole(cls, market: Market) -> Contest:
        """Every row of a market, at all choices that are worth something."""
        row, choice = near_arcs(market, Prices.free(market), np.full(len(market), -np.finfo(float).max))
        return cls._left(market, row, choice, *market.scarce)

    @classmethod
    def beside(cls, market: Market, kept: Integers, row: Numbers, choice: Numbers) -> Contest | None:
        """These arcs, with what rows that keep their choice leave; None where they take more than there is.

        kept: (rows,) choices, -1 for none. row, choice: (arcs,).
        """
        rows = np.flatnonzero(kept != NONE)
        taken = used(market, rows, kept[rows])
        if any((gone > amount * (1 + ROUNDING)).any() for amount, gone in zip(market.scarce, taken, strict=True)):
            return None
        capacity, group_capacity, money = (amount - gone for amount, gone in zip(market.scarce, taken, strict=True))
        return cls._left(market, row, choice, capacity, group_capacity, money)

    @classmethod
    def _left(
        cls, market: Market, row: Numbers, choice: Numbers, capacity: Floats, group_capacity: Floats, money: Floats
    ) -> Contest:
        slot = market.slot_of[market.zone[row], choice]
        spare = ROUNDING * np.where(np.isfinite(market.budget), market.budget, 0)
        budget = np.maximum(money, 0) + spare
        return cls(market, row, choice, slot, market.worth(row, choice), capacity, group_capacity, budget)

    def __len__(self) -> int:
        return len(self.row)


def near_arcs(market: Market, prices: Prices, least: Floats) -> tuple[Numbers, Numbers]:
    """Rows and choices worth something whose net is at least the row's ``least`` (rows,)."""
    rows, choices = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for some, block in nets(market, prices):
        near = np.flatnonzero(least[some] < np.inf)
        wanted = (block[near] >= least[some][near, None]) & (market.values[some][near] > 0)
        row, choice = np.nonzero(wanted)
        rows.append(near[row] + some.start)
        choices.append(choice)
    return np.concatenate(rows), np.concatenate(choices)

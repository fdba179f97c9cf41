"""The best placing of rows into slots with room for so many, exactly: a min-cost flow (Ahuja, Magnanti & Orlin 1993).

    customer ─(limit)→ row ─(1)→ slot ─(capacity)→ group of slots ─(capacity)→ sink

Budgets are no part of it: money does not flow in whole messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from include.scheduling.contest import Contest
from include.scheduling.market import NONE, Floats, Mask, Numbers

COST_BITS = 34
"""The largest value has so many bits as a whole number: rounding loses less than 1e-10 of it per message."""


@dataclass(frozen=True)
class Flow:
    """chosen: (arcs,) mask, at most one per row. slot_price: (slots,), group_price: (groups,), money per message."""

    chosen: Mask
    slot_price: Floats
    group_price: Floats


def solve(contest: Contest, value: Floats) -> Flow:
    """The placing of the largest sum of ``value`` (arcs,), and the least prices that make everybody content with it."""
    scale = 2.0**COST_BITS / max(float(np.abs(value).max(initial=0)), np.finfo(float).tiny)
    worth = np.rint(value * scale).astype(np.int64)
    network = _Network.of(contest)
    chosen = network.best(worth)
    slot_price, group_price = network.prices(worth, chosen)
    return Flow(chosen, slot_price / scale, group_price / scale)


@dataclass(frozen=True)
class _Network:
    """row, owner: (arcs,) numbers from 0 within the contest; owner_of: (rows,). limit: (owners,); capacities whole."""

    row: Numbers
    owner_of: Numbers
    limit: Numbers
    slot: Numbers
    capacity: Numbers
    group: Numbers
    group_capacity: Numbers

    @classmethod
    def of(cls, contest: Contest) -> _Network:
        rows, row = np.unique(contest.row, return_inverse=True)
        owners, owner_of = np.unique(contest.market.owner[rows], return_inverse=True)
        held = np.bincount(owner_of, minlength=len(owners))

        def whole(amount: Floats) -> Numbers:
            return np.minimum(amount, len(rows)).astype(np.int64)

        return cls(
            row,
            owner_of,
            np.minimum(contest.market.limit[owners], held).astype(np.int64),
            contest.slot,
            whole(contest.capacity),
            contest.market.group,
            whole(contest.group_capacity),
        )

    def best(self, worth: Numbers) -> Mask:
        rows, owners, slots, groups = len(self.owner_of), len(self.limit), len(self.capacity), len(self.group_capacity)
        row_node = np.arange(rows)
        owner_node = rows + np.arange(owners)
        slot_node = rows + owners + np.arange(slots)
        group_node = rows + owners + slots + np.arange(groups)
        sink = rows + owners + slots + groups
        solver = min_cost_flow.SimpleMinCostFlow()
        arcs = solver.add_arcs_with_capacity_and_unit_cost(
            self.row, slot_node[self.slot], np.ones_like(self.row), -worth
        )
        for tail, head, room in (
            (owner_node[self.owner_of], row_node, np.ones(rows, np.int64)),
            (owner_node, np.full(owners, sink), self.limit),
            (slot_node, group_node[self.group], self.capacity),
            (group_node, np.full(groups, sink), self.group_capacity),
        ):
            solver.add_arcs_with_capacity_and_unit_cost(tail, head, room, np.zeros_like(room))
        solver.set_nodes_supplies(owner_node, self.limit)
        solver.set_node_supply(sink, -int(self.limit.sum()))
        status = solver.solve()
        if status != solver.OPTIMAL:
            raise RuntimeError(f"min-cost flow ended as {status.name}")
        return np.asarray(solver.flows(arcs)) > 0

    def prices(self, worth: Numbers, chosen: Mask) -> tuple[Floats, Floats]:
        """The least potentials of slots and groups: what one more message in each would displace.

        An owner's placing is the best at prices if no single row does better by coming, moving or taking another's
        place (Gul & Stacchetti 1999: single improvement). Each such step asks for price of where it leads ≥ price of
        where it comes from + what would be gained.
        """
        slots, groups = len(self.capacity), len(self.group_capacity)
        gain = np.full((slots + groups, slots + groups), -np.inf)
        floor = np.zeros(slots + groups)
        self._ask_rows(worth, chosen, gain, floor)
        used = np.bincount(self.slot[chosen], minlength=slots)
        group_used = np.bincount(self.group, used, minlength=groups)
        node = slots + self.group
        gain[node, np.arange(slots)] = 0
        roomy = np.flatnonzero(used < self.capacity)
        gain[roomy, node[roomy]] = 0
        price = floor
        for _ in range(slots + groups):
            raised = np.maximum(price, (price[:, None] + gain).max(axis=0))
            if (raised == price).all():
                break
            price = raised
        price[slots:][group_used < self.group_capacity] = 0
        own = np.maximum(price[:slots] - price[node], 0)
        return np.where(used < self.capacity, 0, own), price[slots:]

    def _ask_rows(self, worth: Numbers, chosen: Mask, gain: Floats, floor: Floats) -> None:
        """Fill in the largest gain of a step between any two slots, and of coming to a slot from nothing."""
        placed = np.full(len(self.owner_of), NONE)
        placed[self.row[chosen]] = np.flatnonzero(chosen)
        own = placed[self.row]
        moving = np.flatnonzero((own != NONE) & ~chosen)
        np.maximum.at(gain, (self.slot[own[moving]], self.slot[moving]), worth[moving] - worth[own[moving]])

        rows = np.flatnonzero(placed != NONE)
        owner = self.owner_of[rows]
        held = np.bincount(owner, minlength=len(self.limit))
        coming = np.flatnonzero(own == NONE)
        of = self.owner_of[self.row[coming]]
        free = held[of] < self.limit[of]
        np.maximum.at(floor, self.slot[coming[free]], worth[coming[free]].astype(np.float64))
        order = np.argsort(owner, kind="stable")
        first = np.cumsum(held) - held
        coming, of = coming[~free], of[~free]
        for seat in range(held.max(initial=0)):
            taking = coming[held[of] > seat]
            rival = placed[rows[order[(first[of] + seat)[held[of] > seat]]]]
            np.maximum.at(gain, (self.slot[rival], self.slot[taking]), worth[taking] - worth[rival])

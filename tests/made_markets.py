"""Markets made from seeds, on the clocks of real time zones, and a second opinion on what they are worth."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from include.business_time import in_quiet_hours
from include.scheduling.allocation import Allocation, Market
from include.scheduling.slots import send_day
from include.settings import SchedulingSettings

Floats = NDArray[np.float64]

HOURS = 24
SLOTS = 15 + 24 + 13
"""Hours of UTC that some clock of the earth may call the same day."""
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Apia")
CLOCK_CHANGES = (
    date(2017, 3, 26),
    date(2017, 10, 29),
    date(2017, 3, 12),
    date(2017, 11, 5),
    date(2017, 4, 2),
    date(2017, 10, 1),
    date(2017, 9, 24),
    date(2011, 12, 30),
    date(2011, 12, 31),
)
"""Of Berlin, New York, Lord Howe and Apia, which had no 30 December 2011."""
DAY = CLOCK_CHANGES[0]
OPEN_BY_DAY = SchedulingSettings()
MONEY_ROUNDING = 1e-9


def first_hour(day: date) -> datetime:
    """The hour of UTC of slot 0: no clock of the earth calls an earlier one ``day``."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)


def slots_of(day: date, channels: int, scheduling: SchedulingSettings) -> NDArray[np.int64]:
    """(zones, channels × 24): the slot of each local hour that is not quiet, -1 for the others."""
    first = first_hour(day)
    slot_of = np.full((len(ZONES), channels * HOURS), -1)
    for number, zone in enumerate(ZONES):
        for slot in send_day(day, zone, scheduling, not_before=first).slots:
            hour = (slot.send_at - first) // timedelta(hours=1)
            for channel in range(channels):
                slot_of[number, channel * HOURS + slot.hour] = channel * SLOTS + hour
    return slot_of


def market(
    customers: int,
    seed: int,
    *,
    campaigns: int = 1,
    channels: int = 1,
    limit: int = 2,
    room: float = 0.6,
    day_room: float = 1.0,
    budget: float = np.inf,
    day: date = DAY,
    alike: bool = False,
    scheduling: SchedulingSettings = OPEN_BY_DAY,
) -> Market:
    """Customers of two kinds of taste (mornings, evenings) and of very different worth.

    room, day_room: of all messages the limits allow, what slots have room for, and each channel's day. budget: the same
    of the money that a campaign's messages would cost. alike: whether all customers are worth the same.
    """
    random = np.random.default_rng([seed, 11])
    rows, hours = customers * campaigns, np.arange(HOURS)
    owner, campaign = np.repeat(np.arange(customers), campaigns), np.tile(np.arange(campaigns), customers)
    slot_of = slots_of(day, channels, scheduling)
    zone = random.choice(len(ZONES), customers, p=[0.45, 0.4, 0.05, 0.05, 0.05])
    peak = np.where(random.random(customers) < 0.5, random.normal(19, 2, customers), random.normal(10, 2, customers))
    worth, taste = random.lognormal(0, 0.7, rows), random.lognormal(0, 0.2, (channels, customers))
    if alike:
        peak[:], worth[:], taste[:] = 18, 1, 1
    values = np.empty((rows, channels * HOURS), np.float32)
    for start in range(0, customers, 50_000):
        some = slice(start, start + 50_000)
        curve = 0.5 + np.exp(3 * (np.cos(2 * np.pi * (hours - peak[some, None]) / HOURS) - 1))
        of = slice(start * campaigns, (start + 50_000) * campaigns)
        for channel in range(channels):
            liked = np.repeat(curve * taste[channel, some, None], campaigns, axis=0)
            values[of, channel * HOURS : (channel + 1) * HOURS] = liked * worth[of, None] - 0.2
    values[(slot_of < 0)[np.repeat(zone, campaigns)]] = -np.inf
    messages = customers * min(limit, campaigns)
    used = np.unique(slot_of[slot_of >= 0])
    cost = random.uniform(0.005, 0.02, campaigns)[campaign]
    return Market(
        values=values,
        zone=np.repeat(zone, campaigns),
        slot_of=slot_of,
        owner=owner,
        limit=np.full(customers, limit),
        capacity=np.full(SLOTS * channels, np.ceil(room * messages / len(used))),
        group=np.repeat(np.arange(channels), SLOTS),
        group_capacity=np.full(channels, np.ceil(day_room * messages / channels)),
        campaign=campaign,
        cost=cost,
        budget=np.bincount(campaign, cost, minlength=campaigns) * budget,
    )


def violations(market: Market, allocation: Allocation) -> list[str]:
    """What an allocation does that it must not, in words, worked out row by row and apart from the product's code."""
    found: list[str] = []
    per_slot, per_group = np.zeros(len(market.capacity), int), np.zeros(len(market.group_capacity), int)
    per_owner, money = np.zeros(len(market.limit), int), np.zeros(len(market.budget))
    value = 0.0
    for row, (slot, choice) in enumerate(zip(allocation.slot, allocation.choice, strict=True)):
        if (slot == -1) != (choice == -1):
            found.append(f"row {row} has choice {choice} and slot {slot}")
        if slot == -1 or choice == -1:
            continue
        worth = float(market.values[row, choice])
        if market.slot_of[market.zone[row], choice] != slot or not worth > 0:
            found.append(f"row {row} may not have choice {choice} (slot {slot}, worth {worth})")
        per_slot[slot] += 1
        per_group[market.group[slot]] += 1
        per_owner[market.owner[row]] += 1
        money[market.campaign[row]] += market.cost[row]
        value += worth
    for name, taken, most in (
        ("slot", per_slot, market.capacity),
        ("group", per_group, market.group_capacity),
        ("owner", per_owner, market.limit),
        ("campaign", money, market.budget * (1 + MONEY_ROUNDING)),
    ):
        found += [f"{name} {number}: {taken[number]} of {most[number]}" for number in np.flatnonzero(taken > most)]
    if abs(value - allocation.value) > 1e-6 * max(1.0, abs(value)):
        found.append(f"worth {value}, said to be {allocation.value}")
    return found


def best_value(market: Market, gap: float = 1e-7) -> float:
    """What HiGHS makes of the whole market as one mixed-integer programme."""
    slot_of_row = market.slot_of[market.zone]
    row, choice = np.nonzero((slot_of_row >= 0) & (market.values > 0))
    if not len(row):
        return 0.0
    slot, one = slot_of_row[row, choice], np.ones(len(row))
    tables = (
        (row, one, np.ones(len(market.owner))),
        (market.owner[row], one, market.limit),
        (slot, one, market.capacity),
        (market.group[slot], one, market.group_capacity),
        (market.campaign[row], market.cost[row], market.budget),
    )
    constraints = []
    for of, amount, most in tables:
        table = csr_array((amount, (of, np.arange(len(row)))), shape=(len(most), len(row)))
        binding = np.flatnonzero(table.sum(axis=1) > most)
        if len(binding):
            constraints.append(LinearConstraint(table[binding], ub=most[binding]))
    value = market.values[row, choice].astype(np.float64)
    found = milp(-value, integrality=one, bounds=Bounds(0, 1), constraints=constraints, options={"mip_rel_gap": gap})
    assert found.x is not None, found.message
    return float(-found.fun)


def wrong_hours(day: date, market: Market, allocation: Allocation) -> list[str]:
    """Messages whose hour of UTC is not the local hour that was chosen, or is quiet there, or is another day's."""
    found = []
    for row in np.flatnonzero(allocation.slot >= 0):
        zone, slot = ZONES[market.zone[row]], int(allocation.slot[row]) % SLOTS
        halves = (first_hour(day) + timedelta(hours=slot, minutes=minutes) for minutes in (0, 30))
        local = [half.astimezone(ZoneInfo(zone)) for half in halves]
        full = [time for time in local if time.minute == 0]
        right = full and full[0].date() == day and full[0].hour == allocation.choice[row] % HOURS
        if not right or in_quiet_hours(full[0], zone, OPEN_BY_DAY.quiet_from, OPEN_BY_DAY.quiet_until):
            found.append(f"row {row} in {zone} at slot {slot} of {day}: {local[0]}")
    return found


def by_arrival(market: Market) -> Allocation:
    """First come, first served: each row its best slot that still has room. A negative control."""
    slots, groups = market.capacity.copy(), market.group_capacity.copy()
    limit, money = market.limit.copy(), market.budget.copy()
    chosen = np.full(len(market.owner), -1)
    for row in range(len(chosen)):
        owner, campaign = market.owner[row], market.campaign[row]
        if limit[owner] < 1 or money[campaign] < market.cost[row]:
            continue
        for choice in np.argsort(-market.values[row], kind="stable"):
            slot = market.slot_of[market.zone[row], choice]
            if slot < 0 or not market.values[row, choice] > 0:
                continue
            if slots[slot] >= 1 and groups[market.group[slot]] >= 1:
                slots[slot] -= 1
                groups[market.group[slot]] -= 1
                limit[owner] -= 1
                money[campaign] -= market.cost[row]
                chosen[row] = choice
                break
    rows = np.flatnonzero(chosen >= 0)
    slot = np.full(len(chosen), -1)
    slot[rows] = market.slot_of[market.zone[rows], chosen[rows]]
    value = float(market.values[rows, chosen[rows]].astype(np.float64).sum())
    nothing = np.zeros(len(market.capacity)), np.zeros(len(market.budget))
    return Allocation(slot, chosen, *nothing, value=value, bound=np.inf)


@st.composite
def any_markets(draw: st.DrawFn) -> Market:
    """Anything small: ties, zeros, rows without a slot, customers who may get nothing, budgets of no whole message."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, choices = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    owners, slots, groups, campaigns, zones = (draw(st.integers(1, most)) for most in (6, 5, 3, 3, 3))
    values = random.normal(1, 2, (rows, choices)).round(draw(st.integers(0, 3)))
    values[random.random(values.shape) < draw(st.sampled_from([0, 0.3]))] = -np.inf

    def some(size: int, most: int) -> Floats:
        amount = random.integers(0, most + 1, size).astype(float)
        amount[random.random(size) < draw(st.sampled_from([0, 0.5]))] = np.inf
        return amount

    return Market(
        values=values.astype(np.float32),
        zone=random.integers(0, zones, rows),
        slot_of=random.integers(-1, slots, (zones, choices)),
        owner=random.integers(0, owners, rows),
        limit=random.integers(0, 4, owners),
        capacity=some(slots, 4),
        group=random.integers(0, groups, slots),
        group_capacity=some(groups, 6),
        campaign=random.integers(0, campaigns, rows),
        cost=random.uniform(0, 2, rows).round(1),
        budget=some(campaigns, 6) * 0.7,
    )


@st.composite
def clock_markets(draw: st.DrawFn) -> tuple[date, Market]:
    """A few customers in zones that change their clocks, on the day when one of these does."""
    day = draw(st.sampled_from(CLOCK_CHANGES))
    made = market(
        draw(st.integers(1, 12)),
        seed=draw(st.integers(0, 2**32 - 1)),
        campaigns=draw(st.integers(1, 3)),
        channels=draw(st.integers(1, 2)),
        limit=draw(st.integers(0, 3)),
        room=draw(st.floats(0, 2)),
        day_room=draw(st.floats(0, 1)),
        budget=draw(st.sampled_from([0.0, 0.3, 0.7, np.inf])),
        day=day,
        alike=draw(st.booleans()),
    )
    return day, made

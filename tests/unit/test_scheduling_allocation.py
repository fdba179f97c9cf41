"""Who gets which slot: the best there is, within everything that is scarce, the same every time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.scheduling import flow
from include.scheduling.allocation import Market, Prices, allocate, find_prices
from include.scheduling.contest import Contest
from include.scheduling.market import demand
from tests import made_markets
from tests.made_markets import any_markets, best_value, by_arrival, clock_markets, violations, wrong_hours

NEVER = -np.inf


def small(worth: list[list[float]], **others: Any) -> Market:
    """One zone, whose choices are the slots; one row per customer; nothing scarce but what is said."""
    rows, slots = np.array(worth).shape
    market = Market(
        values=np.array(worth, np.float32),
        zone=np.zeros(rows, int),
        slot_of=np.arange(slots)[None],
        owner=np.arange(rows),
        limit=np.ones(rows, int),
        capacity=np.full(slots, np.inf),
        group=np.zeros(slots, int),
        group_capacity=np.array([np.inf]),
        campaign=np.zeros(rows, int),
        cost=np.ones(rows),
        budget=np.array([np.inf]),
    )
    return replace(market, **{name: np.array(other) for name, other in others.items()})


def placed(market: Market) -> list[int]:
    found = allocate(market)
    assert violations(market, found) == []
    return found.slot.tolist()


def test_everyone_gets_the_best_where_there_is_room() -> None:
    found = allocate(small([[1, 2], [3, 1], [-1, -2], [NEVER, NEVER]]))
    assert found.slot.tolist() == [1, 0, -1, -1]
    assert (found.value, found.bound, found.gap) == (5, 5, 0)
    assert not found.prices.any()


def test_a_scarce_slot_goes_to_whoever_would_lose_most_without_it() -> None:
    market = small([[5, 4], [4, 1], [3, 2.5]], capacity=[1, np.inf])
    assert placed(market) == [1, 0, 1]
    # One more message at slot 0 would gain the first row 1.
    assert allocate(market).prices.tolist() == pytest.approx([1, 0])


def test_a_chain_of_rows_makes_room_for_one() -> None:
    assert placed(small([[3, 2.9, NEVER], [NEVER, 3, 2.9], [3, NEVER, NEVER]], capacity=[1, 1, 1])) == [1, 2, 0]


def test_a_customer_gets_the_best_of_several_messages() -> None:
    assert placed(small([[3, 2], [4, 1], [2, 5]], owner=[0, 0, 0], limit=[2])) == [-1, 0, 1]
    assert placed(small([[3, 2], [4, 1]], owner=[0, 0], limit=[0])) == [-1, -1]


def test_what_a_customer_may_get_and_what_slots_hold_are_weighed_together() -> None:
    """Row 0 is worth more than row 1 of the same customer, but takes a slot that another customer needs more."""
    assert placed(small([[5, NEVER], [NEVER, 4], [4.5, NEVER]], owner=[0, 0, 1], limit=[1, 1], capacity=[1, 1])) == [
        -1,
        1,
        0,
    ]


def test_a_group_of_slots_has_its_own_room() -> None:
    market = small([[3, 1, 2], [2, 1, 1.5], [1, 4, 0.5]], group=[0, 0, 1], group_capacity=[1, 9])
    assert placed(market) == [2, 2, 1]
    # One more message on that day would gain row 0 one.
    np.testing.assert_allclose(allocate(market).prices, [1, 1, 0])


def test_a_budget_goes_where_money_earns_most() -> None:
    market = small([[6], [5], [4]], cost=[6, 3, 2], budget=[6])
    assert placed(market) == [-1, 0, 0]
    assert allocate(market).budget_prices[0] > 0


def test_a_budget_is_spent_whole_where_it_is_a_number_of_messages() -> None:
    found = allocate(made_markets.market(300, seed=3, campaigns=2, budget=0.3))
    market = made_markets.market(300, seed=3, campaigns=2, budget=0.3)
    spent = np.bincount(market.campaign, market.cost * (found.slot >= 0))
    assert spent == pytest.approx(market.budget, rel=1e-9)
    assert found.gap < 1e-6


def test_rows_of_several_time_zones_meet_in_one_slot() -> None:
    market = small(
        [[9, 1], [1, 8], [7, 6]],
        zone=[0, 1, 1],
        slot_of=[[1, 2], [0, 1]],
        capacity=[2, 1, 1],
        group=[0, 0, 0],
    )
    assert placed(market) == [1, 0, 0]


def test_an_empty_market() -> None:
    empty = small([[1.0]])
    nobody = replace(
        empty, **{name: getattr(empty, name)[:0] for name in ("values", "zone", "owner", "limit", "campaign", "cost")}
    )
    found = allocate(nobody)
    assert (len(found.slot), found.value, found.gap) == (0, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"worth": [[np.nan]]}, "values must be numbers"),
        ({"worth": [[np.inf]]}, "values must be numbers"),
        ({"owner": [1]}, "owner must be numbers from 0 to 0"),
        ({"slot_of": [[1]]}, "slot_of must be numbers from -1 to 0"),
        ({"capacity": [-1.0]}, "capacity must not be negative"),
        ({"budget": [np.nan]}, "budget must not be negative or NaN"),
        ({"cost": [1.0, 2.0]}, "cost must be one per row"),
        ({"cost": [np.inf]}, "cost must be finite"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small(**{"worth": [[1.0]], **wrong})


# --- as good as HiGHS ------------------------------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {
    "slots": {"room": 0.4},
    "limits": {"campaigns": 3, "limit": 2, "room": 0.4},
    "days": {"campaigns": 2, "channels": 2, "limit": 1, "day_room": 0.3},
    "budgets": {"campaigns": 3, "limit": 2, "budget": 0.2, "room": 0.5},
    "alike": {"alike": True, "room": 0.4},
}


@pytest.mark.parametrize("whole", [0, 10**9], ids=["by prices", "at once"])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_worth_more(shape: str, whole: int) -> None:
    market = made_markets.market(120, seed=7, **SHAPES[shape])
    found = allocate(market, whole)
    assert violations(market, found) == []
    best = best_value(market)
    exact = 1e-3 if shape == "budgets" else 2e-5 if shape == "alike" else 1e-6
    assert found.value == pytest.approx(best, rel=exact)
    assert found.bound >= best * (1 - 1e-6)
    assert found.value <= best * (1 + 1e-6)
    # The yardstick tells good from bad.
    assert by_arrival(market).value < (1 if shape == "alike" else 0.999) * best + 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_a_larger_market_is_placed_by_prices_with_a_small_gap(shape: str) -> None:
    market = made_markets.market(3_000, seed=5, **SHAPES[shape])
    found = allocate(market, whole=0)
    assert violations(market, found) == []
    assert found.gap <= (1e-4 if shape in ("budgets", "alike") else 1e-8)
    again = allocate(market, whole=0)
    np.testing.assert_array_equal(found.slot, again.slot)


def test_a_full_slot_has_a_price_and_one_with_room_has_none() -> None:
    market = made_markets.market(300, seed=2, room=0.4)
    found = allocate(market)
    taken = np.bincount(found.slot[found.slot >= 0], minlength=len(market.capacity))
    assert not found.prices[taken < market.capacity].any()
    assert (found.prices[taken == market.capacity] > 0).sum() > 10
    # At these prices nobody would rather have anything else: the bound is met.
    assert found.gap == pytest.approx(0, abs=1e-9)


def test_the_price_of_a_slot_is_what_one_more_message_there_would_gain() -> None:
    market = made_markets.market(60, seed=4, room=0.4)
    prices, value = allocate(market).prices, allocate(market).value
    for slot in np.flatnonzero(prices)[:5]:
        more = market.capacity.copy()
        more[slot] += 1
        assert allocate(replace(market, capacity=more)).value - value == pytest.approx(prices[slot], abs=1e-6)


def test_any_prices_bound_what_can_be_earned() -> None:
    market = made_markets.market(200, seed=6, campaigns=2, channels=2, room=0.4, day_room=0.3, budget=0.3)
    value, random = allocate(market).value, np.random.default_rng(1)
    for _ in range(20):
        prices = Prices(random.exponential(1, 104), random.exponential(1, 2), random.exponential(50, 2))
        assert demand(market, prices).surplus() + prices.earned(market) >= value * (1 - 1e-9)


def test_prices_alone_nearly_keep_demand_within_what_is_scarce() -> None:
    market = made_markets.market(8_000, seed=8, campaigns=2, channels=2, room=0.5, day_room=0.4, budget=0.3)
    asked = demand(market, find_prices(market))
    rows = np.flatnonzero(asked.taken)
    slot = market.slot_of[market.zone[rows], asked.choice[rows]]
    spent = np.bincount(market.campaign[rows], market.cost[rows])
    assert (np.bincount(market.group[slot]) <= market.group_capacity * 1.02).all()
    assert (spent <= market.budget * 1.02).all()
    assert spent == pytest.approx(market.budget, rel=0.05)


def test_the_flow_refuses_what_its_prices_would_not_explain() -> None:
    market = made_markets.market(80, seed=9, campaigns=2, limit=1, room=0.3)
    contest = Contest.whole(market)
    found = flow.solve(contest, contest.value)
    prices = replace(Prices.free(market), slot=found.slot_price, group=found.group_price)
    value = contest.value[found.chosen].sum()
    assert demand(market, prices).surplus() + prices.earned(market) == pytest.approx(value, rel=1e-9)


# --- never beyond what is scarce --------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=100, deadline=None)
@given(market=any_markets(), whole=st.sampled_from([0, 10**9]))
def test_nothing_scarce_is_ever_overdrawn(market: Market, whole: int) -> None:
    found = allocate(market, whole)
    assert violations(market, found) == []
    assert found.value <= found.bound


@hypothesis_settings(max_examples=40, deadline=None)
@given(market=any_markets())
def test_small_markets_are_as_good_as_highs(market: Market) -> None:
    assert allocate(market).value == pytest.approx(best_value(market), rel=1e-6, abs=1e-6)


@hypothesis_settings(max_examples=40, deadline=None)
@given(case=clock_markets(), whole=st.sampled_from([0, 10**9]))
def test_hours_are_right_on_days_when_clocks_change(case: tuple[date, Market], whole: int) -> None:
    day, market = case
    found = allocate(market, whole)
    assert violations(market, found) == []
    assert wrong_hours(day, market, found) == []


def test_the_check_of_hours_and_the_check_of_what_is_scarce_see_what_is_wrong() -> None:
    market = made_markets.market(40, seed=1, campaigns=2, room=0.3, budget=0.5)
    found = allocate(market)
    assert wrong_hours(made_markets.CLOCK_CHANGES[1], market, found)
    assert violations(replace(market, capacity=market.capacity - 1), found)
    assert violations(replace(market, group_capacity=np.array([3.0])), found)
    assert violations(replace(market, limit=np.zeros(40)), found)
    assert violations(replace(market, budget=market.budget / 2), found)
    assert violations(replace(market, values=market.values - 100), found)

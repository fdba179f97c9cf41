"""Caps and capacity as pure functions: compared with plain counting."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from include.scheduling.capacity import Wish, place
from include.scheduling.caps import day_is_full, fits, week_is_full
from include.scheduling.slots import send_day
from include.settings import SchedulingSettings

NOON = datetime(2017, 12, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
offsets = st.integers(-9 * 24, 9 * 24).map(lambda hours: NOON + timedelta(hours=hours))


@given(others=st.lists(offsets, max_size=8), at=offsets, cap=st.integers(1, 4))
def test_the_week_is_full_when_some_seven_days_would_hold_too_many(
    others: list[datetime], at: datetime, cap: int
) -> None:
    scheduling = SchedulingSettings(messages_per_week=cap)
    times = [*others, at]
    week = timedelta(days=7)
    # Every window that ends with a message; those that hold ``at``.
    overfull = any(sum(end - week < other <= end for other in times) > cap for end in times if end - week < at <= end)
    assert week_is_full(at, others, scheduling) == overfull


def test_the_week_rolls_to_the_second() -> None:
    scheduling = SchedulingSettings(messages_per_week=1)
    assert not week_is_full(NOON, [NOON - timedelta(days=7)], scheduling)
    assert week_is_full(NOON, [NOON - timedelta(days=7) + timedelta(seconds=1)], scheduling)


def test_the_day_is_the_customers_own() -> None:
    scheduling = SchedulingSettings(messages_per_day=1)
    day = send_day(date(2017, 12, 1), "America/New_York", scheduling, not_before=LONG_AGO)
    last_evening = datetime(2017, 12, 1, 4, 59, tzinfo=UTC)  # 23:59 of 30 November in New York
    assert not day_is_full(day, [last_evening], scheduling)
    assert day_is_full(day, [last_evening + timedelta(minutes=1)], scheduling)
    assert not fits(NOON, day, [last_evening + timedelta(minutes=1)], scheduling)


def wish(values: list[float], drawn: int) -> Wish:
    hours = tuple(NOON + timedelta(hours=number) for number in range(len(values)))
    return Wish(hours, np.array(values), drawn)


def test_a_full_hour_keeps_the_most_valuable_and_moves_the_rest_to_their_next_best() -> None:
    wishes = [wish([1.0, 0.5, 0.7], 0), wish([3.0, 0.1, 0.2], 0), wish([2.0, 0.9, 0.3], 0)]
    used: Counter[datetime] = Counter()
    assert place(wishes, used, capacity=1) == [2, 0, 1]
    assert set(used.values()) == {1}


def test_whoever_goes_without_is_worth_least_even_where_its_own_hour_had_room() -> None:
    crowd = [wish([2.0, 1.0], 0), wish([3.0, 1.0], 0)]
    assert place([wish([0.1, 0.1], 1), *crowd], Counter(), capacity=1) == [None, 1, 0]


@given(data=st.data())
def test_placing_the_rest_around_what_is_kept_gives_the_same_places(data: st.DataObject) -> None:
    """A rerun after delivery: some messages keep their hours, the others are placed anew."""
    values = st.lists(st.floats(-1, 1), min_size=3, max_size=3)
    wishes = [wish(data.draw(values), data.draw(st.integers(0, 2))) for _ in range(data.draw(st.integers(1, 10)))]
    capacity = data.draw(st.integers(1, 4))
    first = place(wishes, Counter(), capacity)
    kept = [slot is not None and data.draw(st.booleans()) for slot in first]
    used = Counter(
        NOON + timedelta(hours=slot) for slot, keep in zip(first, kept, strict=True) if keep and slot is not None
    )
    rest = [number for number, keep in enumerate(kept) if not keep]
    assert place([wishes[number] for number in rest], used, capacity) == [first[number] for number in rest]


def test_no_room_anywhere_is_none_and_no_capacity_is_no_limit() -> None:
    wishes = [wish([1.0], 0), wish([2.0], 0)]
    assert place(wishes, Counter(), capacity=1) == [None, 0]
    assert place(wishes, Counter({NOON: 1}), capacity=1) == [None, None]
    assert place(wishes, Counter(), capacity=None) == [0, 0]


@given(data=st.data(), capacity=st.integers(1, 4))
def test_no_hour_ever_exceeds_its_capacity_and_nobody_is_left_out_while_there_is_room(
    data: st.DataObject, capacity: int
) -> None:
    values = st.lists(st.floats(-1, 1), min_size=3, max_size=3)
    wishes = [wish(data.draw(values), data.draw(st.integers(0, 2))) for _ in range(data.draw(st.integers(0, 15)))]
    placed = place(wishes, Counter(), capacity)
    taken = Counter(slot for slot in placed if slot is not None)
    assert max(taken.values(), default=0) <= capacity
    assert sum(taken.values()) == min(len(wishes), 3 * capacity)

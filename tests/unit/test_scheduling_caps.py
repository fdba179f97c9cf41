"""Caps and capacity as pure functions: compared with plain counting."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from include.scheduling.capacity import UNPLACED, Capacity, Load, repair
from include.scheduling.caps import (
    CALENDAR_WEEK,
    DAY,
    FREE,
    KINDS,
    NEVER,
    Caps,
    Sent,
    most_in_seven_days,
    room,
    room_of,
)
from include.scheduling.slots import HOUR, Hours, microseconds
from include.settings import SchedulingSettings

NOON = datetime(2017, 12, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FRIDAY = date(2017, 12, 1)
EMAIL, PUSH = 0, 1
offsets = st.integers(-9 * 24, 9 * 24).map(lambda hours: NOON + timedelta(hours=hours))


def at_most(scheduling: SchedulingSettings, *others: datetime, zone: str = "UTC", channel: int = EMAIL) -> np.ndarray:
    """(channels, hours) open to a customer with these messages, and the caps that leave none."""
    hours = Hours.of(FRIDAY, [zone], scheduling, not_before=LONG_AGO)
    sent = np.array([[microseconds(other) for other in others]], np.int64).reshape(1, -1)
    return room(hours, np.zeros(1, np.int64), sent, np.full(sent.shape, channel), Caps.of(scheduling))


@given(others=st.lists(offsets, max_size=8), at=offsets, cap=st.integers(1, 4))
def test_the_week_is_full_when_some_seven_days_would_hold_too_many(
    others: list[datetime], at: datetime, cap: int
) -> None:
    times = [*others, at]
    week = timedelta(days=7)
    # Every window that ends with a message; those that hold ``at``.
    overfull = any(sum(end - week < other <= end for other in times) > cap for end in times if end - week < at <= end)
    told = np.array([[microseconds(other) for other in others] + [NEVER]])
    most = most_in_seven_days(np.array([[microseconds(at)]]), told)
    assert (most[0, 0] >= cap) == overfull


def test_the_week_rolls_to_the_second() -> None:
    scheduling = SchedulingSettings(messages_per_week=1)
    assert at_most(scheduling, NOON - timedelta(days=7)).open[0, EMAIL, 12]
    assert not at_most(scheduling, NOON - timedelta(days=7) + timedelta(seconds=1)).open[0, EMAIL, 12]


def test_the_day_is_the_customers_own() -> None:
    scheduling = SchedulingSettings(messages_per_day=1)
    last_evening = datetime(2017, 12, 1, 4, 59, tzinfo=UTC)  # 23:59 of 30 November in New York
    assert at_most(scheduling, last_evening, zone="America/New_York").open.any()
    full = at_most(scheduling, last_evening + timedelta(minutes=1), zone="America/New_York")
    assert not full.open.any()
    assert (full.cap == DAY).all()


def test_the_calendar_week_begins_on_the_customers_own_monday() -> None:
    scheduling = SchedulingSettings(messages_per_calendar_week=1)
    monday = datetime(2017, 11, 27, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert at_most(scheduling, monday - timedelta(seconds=1), zone="Asia/Tokyo").open.any()
    full = at_most(scheduling, monday, zone="Asia/Tokyo")
    assert (full.cap == CALENDAR_WEEK).all()
    words = Caps.of(scheduling).words(CALENDAR_WEEK, EMAIL, FRIDAY)
    assert words == "Already has the 1 message(s) allowed in the week from 2017-11-27."


def test_a_channels_own_cap_leaves_the_other_channel_open() -> None:
    scheduling = SchedulingSettings(messages_per_day=2, channels={"email": {"messages_per_day": 1}})
    found = at_most(scheduling, NOON)
    assert not found.open[0, EMAIL].any()
    assert found.open[0, PUSH].sum() == 13
    assert found.cap.tolist() == [[DAY + KINDS, FREE]]
    words = Caps.of(scheduling).words(DAY + KINDS, EMAIL, FRIDAY)
    assert words == "Already has the 1 message(s) allowed on email on 2017-12-01."
    assert (at_most(scheduling, NOON, NOON).cap == DAY).all()


def test_customers_are_told_apart_however_many_messages_each_has() -> None:
    scheduling = SchedulingSettings(messages_per_day=2)
    hours = Hours.of(FRIDAY, ["UTC"], scheduling, not_before=LONG_AGO)
    noon = microseconds(NOON)
    sent = Sent.of(np.array([3, 1, 3, 0]), np.array([noon, noon, noon + HOUR, noon - 80 * HOUR]), np.zeros(4, np.int8))
    found = room_of(hours, np.zeros(5, np.int64), np.arange(5), sent, Caps.of(scheduling))
    assert found.open.any(axis=(1, 2)).tolist() == [True, True, True, False, True]
    some = room_of(hours, np.zeros(5, np.int64), np.array([1, 3]), sent, Caps.of(scheduling))
    assert some.open.any(axis=(1, 2)).tolist() == [True, False]


# --- settings --------------------------------------------------------------------------------------------------------


def test_a_warm_up_grows_from_its_first_day_on() -> None:
    warm_up = {"starts_on": date(2017, 12, 1), "first_day": 100, "growth": 1.5}
    email = SchedulingSettings(channels={"email": {"warm_up": warm_up, "daily_capacity": 300}}).channels.email
    days = [email.most_on(FRIDAY + timedelta(days=day)) for day in (-1, 0, 1, 2, 3, 10_000)]
    assert days == [0, 100, 150, 225, 300, 300]
    assert SchedulingSettings().channels.email.most_on(FRIDAY) is None


def test_one_capacity_over_all_channels_cannot_be_kept_beside_a_channels_day() -> None:
    with pytest.raises(ValidationError, match=r"channels\.app_push\): give each channel an hourly_capacity"):
        SchedulingSettings(hourly_capacity=10, channels={"app_push": {"daily_capacity": 100}})
    SchedulingSettings(hourly_capacity=10, channels={"app_push": {"hourly_capacity": 5}})


# --- capacity --------------------------------------------------------------------------------------------------------


def of_email(most: int) -> tuple[Capacity, np.ndarray]:
    """Room for so many emails in each of three hours, 8 to 10, and what lies open."""
    scheduling = SchedulingSettings(channels={"email": {"hourly_capacity": most}})
    hours = Hours.of(FRIDAY, ["UTC"], scheduling, not_before=LONG_AGO)
    return Capacity.of(scheduling, hours, FRIDAY), np.arange(8, 11)


def worth(values: list[list[float]]) -> np.ndarray:
    whole = np.full((len(values), 48), -np.inf)
    whole[:, 8:11] = values
    return whole


def repaired(values: list[list[float]], drawn: list[int], capacity: Capacity) -> list[int]:
    """Hours from 8 on, counted from 0; -1 for none."""
    zone, places = np.zeros(len(values), np.int64), np.array(drawn) + 8
    nothing = capacity.load(np.zeros(0, np.int64))
    choice = repair(worth(values), zone, places, capacity, nothing)
    return [int(one) - 8 if one != UNPLACED else -1 for one in choice]


def test_a_full_hour_moves_those_who_lose_least_each_to_the_best_there_is() -> None:
    capacity, _ = of_email(1)
    assert repaired([[1.0, 0.5, 0.7], [3.0, 0.1, 0.2], [2.0, 0.9, 0.3]], [0, 0, 0], capacity) == [2, 0, 1]


def test_nobody_moves_who_need_not() -> None:
    capacity, _ = of_email(2)
    assert repaired([[1.0, 9.0, 0.7], [3.0, 0.1, 0.2], [2.0, 0.9, 0.3]], [0, 0, 1], capacity) == [0, 0, 1]


def test_others_make_room_where_nothing_else_helps() -> None:
    """Two want hour 0 and can go nowhere else but to 1, whose one could go to 2."""
    capacity, _ = of_email(1)
    none = -np.inf
    assert repaired([[2.0, 1.0, none], [2.0, 1.5, none], [none, 2.0, 1.0]], [0, 0, 1], capacity) == [0, 1, 2]


def test_whoever_finds_no_room_anywhere_is_worth_least() -> None:
    capacity, _ = of_email(1)
    none = -np.inf
    assert repaired([[1.0, none, none], [2.0, none, none]], [0, 0], capacity) == [-1, 0]


@hypothesis_settings(deadline=None, max_examples=50)
@given(data=st.data(), most=st.integers(1, 4))
def test_no_hour_ever_exceeds_its_capacity_and_nobody_is_left_out_while_there_is_room(
    data: st.DataObject, most: int
) -> None:
    values = st.lists(st.floats(-1, 1), min_size=3, max_size=3)
    size = data.draw(st.integers(1, 15))
    drawn = [data.draw(st.integers(0, 2)) for _ in range(size)]
    capacity, _ = of_email(most)
    placed = repaired([data.draw(values) for _ in range(size)], drawn, capacity)
    taken = np.bincount([place for place in placed if place >= 0], minlength=3)
    assert taken.max() <= most
    assert taken.sum() == min(size, 3 * most)


def test_one_capacity_over_all_channels_counts_both() -> None:
    scheduling = SchedulingSettings(hourly_capacity=1)
    hours = Hours.of(FRIDAY, ["UTC", "Asia/Kolkata"], scheduling, not_before=LONG_AGO)
    capacity = Capacity.of(scheduling, hours, FRIDAY)
    both = capacity.slot_of[0, [8, 24 + 8]]
    assert not capacity.is_over(capacity.load(both[:1])).any()
    assert capacity.is_over(capacity.load(both))[both].all()
    # 14:00 in Kolkata is 08:30 in UTC.
    assert capacity.slot_of[1, 14] == capacity.slot_of[0, 8]


def test_messages_of_earlier_nights_take_hours_but_no_day() -> None:
    scheduling = SchedulingSettings(channels={"email": {"hourly_capacity": 5, "daily_capacity": 7}})
    hours = Hours.of(FRIDAY, ["UTC"], scheduling, not_before=LONG_AGO)
    capacity = Capacity.of(scheduling, hours, FRIDAY)
    at = np.array([microseconds(NOON) + HOUR // 2, microseconds(LONG_AGO)])
    earlier = capacity.taken_by(np.zeros(2, np.int8), at, of_night=False)
    assert isinstance(earlier, Load)
    assert (earlier.slots[capacity.slot_of[0, 12]], earlier.slots.sum(), earlier.groups.sum()) == (1, 1, 0)
    assert capacity.taken_by(np.zeros(2, np.int8), at, of_night=True).groups.tolist() == [2, 0]

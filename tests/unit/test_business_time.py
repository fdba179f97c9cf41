"""Business dates and local hours, on the days that clocks change too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.business_time import (
    allowed_hours,
    business_date_of,
    day_bounds,
    in_quiet_hours,
    local_hours,
    local_instant,
)

ZONES = st.sampled_from(
    [
        "UTC",
        "America/New_York",
        "Europe/Madrid",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ]
)
DAYS = st.dates(date(2010, 1, 1), date(2030, 12, 31))


@pytest.mark.parametrize(("day", "hours"), [(date(2017, 3, 12), 23), (date(2017, 11, 5), 25), (date(2017, 11, 30), 24)])
def test_days_of_23_and_25_hours(day: date, hours: int) -> None:
    start, end = day_bounds(day, "America/New_York")
    assert end - start == timedelta(hours=hours)
    assert len(local_hours(day, "America/New_York")) == hours


@pytest.mark.parametrize(
    ("day", "clock", "instant"),
    [
        (date(2017, 11, 30), time(4), datetime(2017, 11, 30, 9, tzinfo=UTC)),
        (date(2017, 3, 12), time(4), datetime(2017, 3, 12, 8, tzinfo=UTC)),
        (date(2017, 11, 5), time(4), datetime(2017, 11, 5, 9, tzinfo=UTC)),
        (date(2017, 3, 12), time(2, 30), datetime(2017, 3, 12, 7, 30, tzinfo=UTC)),
        (date(2017, 11, 5), time(1, 30), datetime(2017, 11, 5, 5, 30, tzinfo=UTC)),
    ],
    ids=["usual", "spring", "autumn", "skipped", "twice"],
)
def test_what_the_clock_shows_is_an_instant_when_clocks_change_too(day: date, clock: time, instant: datetime) -> None:
    assert local_instant(day, clock, "America/New_York") == instant


def test_the_skipped_hour_is_absent_and_the_repeated_one_is_there_twice() -> None:
    def local(day: date) -> list[int]:
        return [hour.astimezone(ZoneInfo("America/New_York")).hour for hour in local_hours(day, "America/New_York")]

    assert local(date(2017, 3, 12))[:4] == [0, 1, 3, 4]
    assert local(date(2017, 11, 5))[:4] == [0, 1, 1, 2]


@given(DAYS, ZONES)
def test_consecutive_days_meet_and_hold_their_instants(day: date, zone: str) -> None:
    start, end = day_bounds(day, zone)
    assert end == day_bounds(day + timedelta(days=1), zone)[0]
    if start < end:  # Samoa skipped 30 December 2011 whole
        assert business_date_of(start, zone) == day
        assert business_date_of(end - timedelta(microseconds=1), zone) == day
    assert all(business_date_of(hour, zone) == day for hour in local_hours(day, zone))


@given(DAYS, ZONES, st.times(), st.times())
def test_allowed_hours_are_never_quiet(day: date, zone: str, quiet_from: time, quiet_until: time) -> None:
    for hour in allowed_hours(day, zone, quiet_from, quiet_until):
        assert not in_quiet_hours(hour, zone, quiet_from, quiet_until)
        assert hour.tzinfo is UTC


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"), [(20, 59, False), (21, 0, True), (0, 0, True), (7, 59, True), (8, 0, False)]
)
def test_quiet_hours_span_midnight(hour: int, minute: int, quiet: bool) -> None:
    instant = datetime(2017, 11, 30, hour, minute, tzinfo=ZoneInfo("America/New_York"))
    assert in_quiet_hours(instant, "America/New_York", time(21), time(8)) is quiet

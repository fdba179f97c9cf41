"""The days that a load of events changed: all of them, none besides, and under the newest file that did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from include.landing import load_landing_files
from include.settings import Settings

DAY = date(2017, 11, 30)
EARLY, LATE = "2017-11-28/a.csv", "2017-11-29/a.csv"


def write(settings: Settings, path: str, *rows: tuple[str, str]) -> None:
    """Events as (event_id, occurred_at)."""
    file = Path(settings.landing) / "events" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{event_id},view,c1,{at}" for event_id, at in rows]
    file.write_text("\n".join(("event_id,event_type,customer_id,occurred_at", *lines)) + "\n")


@pytest.fixture
def changed(engine: Engine, settings: Settings) -> Callable[[], dict[str, str]]:
    """Loads, and gives the days that this changed, each with the file it stands under."""

    def load() -> dict[str, str]:
        with engine.begin() as connection:
            known = connection.execute(text("select coalesce(max(file_id), 0) from marketing.landing_files")).scalar()
        load_landing_files(engine, settings, business_date=DAY)
        with engine.begin() as connection:
            rows = connection.execute(
                text(
                    "select cast(utc_day as text) as day, file from marketing.changed_event_days "
                    "inner join marketing.landing_files using (file_id) where file_id > :known"
                ),
                {"known": known},
            ).all()
        return {row.day: row.file.removeprefix("events/") for row in rows}

    return load


def test_a_first_load_changes_the_utc_days_of_its_good_rows(
    changed: Callable[[], dict[str, str]], settings: Settings
) -> None:
    write(
        settings,
        EARLY,
        ("e1", "2017-11-28T23:30:00-05:00"),
        ("e2", "2017-11-27T00:10:00Z"),
        ("e3", "2017-02-30T00:00:00Z"),
        ("e4", "2017-11-20T00:00:00Z"),
        ("e4", "2017-11-21T00:00:00Z"),
    )
    assert changed() == {"2017-11-29": EARLY, "2017-11-27": EARLY, "2017-11-21": EARLY}
    assert changed() == {}


def test_a_changed_file_changes_the_days_it_had_and_those_it_has(
    changed: Callable[[], dict[str, str]], settings: Settings
) -> None:
    write(settings, EARLY, ("e1", "2017-11-01T00:00:00Z"), ("e2", "2017-11-02T00:00:00Z"))
    write(settings, LATE, ("e9", "2017-11-09T00:00:00Z"))
    changed()
    write(settings, EARLY, ("e2", "2017-11-03T00:00:00Z"))
    assert changed() == {"2017-11-01": EARLY, "2017-11-02": EARLY, "2017-11-03": EARLY}


def test_a_later_file_changes_the_day_its_row_came_from(
    changed: Callable[[], dict[str, str]], settings: Settings
) -> None:
    write(settings, EARLY, ("e1", "2017-11-01T00:00:00Z"), ("e2", "2017-11-02T00:00:00Z"))
    changed()
    write(settings, LATE, ("e1", "2017-11-05T00:00:00Z"))
    assert changed() == {"2017-11-01": LATE, "2017-11-05": LATE}


def test_an_earlier_file_that_gives_way_changes_nothing(
    changed: Callable[[], dict[str, str]], settings: Settings
) -> None:
    write(settings, LATE, ("e1", "2017-11-01T00:00:00Z"))
    changed()
    write(settings, EARLY, ("e1", "2017-11-05T00:00:00Z"), ("e2", "2017-11-06T00:00:00Z"))
    assert changed() == {"2017-11-06": EARLY}


def test_a_row_that_counts_again_changes_its_day(changed: Callable[[], dict[str, str]], settings: Settings) -> None:
    write(settings, EARLY, ("e1", "2017-11-01T00:00:00Z"))
    changed()
    write(settings, LATE, ("e1", "2017-11-05T00:00:00Z"))
    changed()
    write(settings, LATE)
    assert changed() == {"2017-11-01": EARLY, "2017-11-05": LATE}


def events_by_day(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "select cast(occurred_at at time zone 'UTC' as date) as day, event_id from marketing.events order by 2"
            )
        ).all()
    days: dict[str, list[Any]] = {}
    for row in rows:
        days.setdefault(str(row.day), []).append(row.event_id)
    return days


EVENTS = st.lists(
    st.tuples(st.sampled_from(["e1", "e2", "e3"]), st.integers(1, 4).map("2017-11-0{}T12:00:00Z".format)), max_size=3
)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([EARLY, LATE]), EVENTS), min_size=1, max_size=5))
def test_whatever_is_edited_every_day_that_differs_is_noted(
    changed: Callable[[], dict[str, str]],
    engine: Engine,
    settings: Settings,
    edits: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "truncate marketing.events, marketing.landing_files, marketing.quarantined_rows, "
                "marketing.changed_event_days"
            )
        )
    for path in (EARLY, LATE):
        (Path(settings.landing) / "events" / path).unlink(missing_ok=True)
    for path, rows in edits:
        write(settings, path, *rows)
        before = events_by_day(engine)
        noted = changed()
        after = events_by_day(engine)
        assert {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)} <= noted.keys()

"""Files that change after they were loaded: the tables always say what the files say now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from include.landing import load_landing_files
from include.settings import Settings

DAY = date(2017, 11, 30)
EARLY, MIDDLE, LATE = "2017-11-28/a.csv", "2017-11-29/a.csv", "2017-11-29/b.csv"


def write(settings: Settings, path: str, *rows: str) -> None:
    file = Path(settings.landing) / "customers" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(("customer_id,country,time_zone", *rows)) + "\n")


def contents(engine: Engine) -> tuple[list[Any], ...]:
    """Customers, quarantined rows and files, but for the numbers that sequences gave them."""
    with engine.connect() as connection:
        return tuple(
            [tuple(row) for row in connection.execute(text(query))]
            for query in (
                "select customer_id, country, file, row_number from marketing.customers"
                " left join marketing.landing_files using (file_id) order by 1",
                "select file, row_number, reason, row from marketing.quarantined_rows order by 1, 2",
                "select file, sha256, rows_accepted, rows_quarantined from marketing.landing_files order by 1",
            )
        )


def countries(engine: Engine) -> dict[str, str]:
    return {row[0]: row[1] for row in contents(engine)[0]}


@pytest.fixture
def load(engine: Engine, settings: Settings) -> Callable[..., Any]:
    return lambda: load_landing_files(engine, settings, business_date=DAY)


def test_a_row_that_was_overridden_returns_when_the_later_file_gives_it_no_more(
    load: Callable[..., Any], engine: Engine, settings: Settings
) -> None:
    write(settings, EARLY, "c1,AA,", "c2,AA,")
    write(settings, LATE, "c1,BB,", "c3,BB,")
    load()
    assert countries(engine) == {"c1": "BB", "c2": "AA", "c3": "BB"}
    write(settings, LATE, "c1,BB,Mars/Base", "c3,BB,")
    summary = load()
    assert countries(engine) == {"c1": "AA", "c2": "AA", "c3": "BB"}
    assert (summary.files_loaded, summary.files_unchanged, summary.rows_accepted) == (2, 0, 3)
    assert load().files_unchanged == 2


def test_the_latest_of_the_earlier_files_gives_the_row(
    load: Callable[..., Any], engine: Engine, settings: Settings
) -> None:
    for path, country in ((EARLY, "AA"), (MIDDLE, "BB"), (LATE, "CC")):
        write(settings, path, f"c1,{country},")
    load()
    write(settings, LATE)
    load()
    assert countries(engine) == {"c1": "BB"}


def test_files_that_gave_way_in_nothing_are_not_read_again(
    load: Callable[..., Any], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    write(settings, EARLY, "c1,AA,")
    write(settings, LATE, "c2,BB,", "c3,BB,")
    load()
    write(settings, LATE, "c3,BB,")
    with caplog.at_level(logging.INFO):
        assert load().files_loaded == 1
    assert EARLY not in caplog.text


def test_a_run_killed_between_the_two_files_leaves_the_rest_to_the_next(
    database_url: str, engine: Engine, settings: Settings
) -> None:
    write(settings, EARLY, "c1,AA,")
    write(settings, LATE, "c1,BB,")
    load_landing_files(engine, settings, business_date=DAY)
    write(settings, LATE)
    dying = create_engine(database_url)
    commits = iter(range(10))

    def kill(connection: Any) -> None:
        if next(commits) == 1:  # the changed file is in, the earlier one is about to be
            pid = connection.connection.driver_connection.info.backend_pid
            with engine.begin() as administration:
                administration.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    event.listen(dying, "commit", kill)
    with pytest.raises(OperationalError):
        load_landing_files(dying, settings, business_date=DAY)
    dying.dispose()
    assert countries(engine) == {}
    load_landing_files(engine, settings, business_date=DAY)
    assert countries(engine) == {"c1": "AA"}


def test_a_file_that_is_loaded_again_has_a_larger_number(
    load: Callable[..., Any], engine: Engine, settings: Settings
) -> None:
    def numbers() -> dict[str, int]:
        with engine.connect() as connection:
            rows = connection.execute(text("select file, file_id from marketing.landing_files")).all()
        return {row.file.removeprefix("customers/"): row.file_id for row in rows}

    write(settings, EARLY, "c1,AA,")
    write(settings, LATE, "c2,AA,")
    load()
    first = numbers()
    write(settings, EARLY, "c1,BB,")
    load()
    assert numbers()[LATE] == first[LATE]
    assert numbers()[EARLY] > first[LATE] > first[EARLY]


ROWS = st.lists(
    st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.sampled_from(["AA", "BB"]), st.sampled_from(["", "", "Mars"])),
    max_size=3,
)
EDITS = st.lists(st.tuples(st.sampled_from([EARLY, MIDDLE, LATE]), ROWS, st.booleans()), min_size=1, max_size=8)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
@example(
    [
        (EARLY, [("c1", "AA", "")], True),
        (MIDDLE, [("c1", "BB", "")], True),
        (LATE, [("c1", "BB", "")], True),
        (LATE, [], False),
        (MIDDLE, [("c1", "BB", "Mars")], True),
    ]
)
def test_any_sequence_of_edits_ends_as_a_first_load_of_the_final_files(
    engine: Engine, settings: Settings, edits: list[tuple[str, list[tuple[str, str, str]], bool]]
) -> None:
    """An edit: a path, its rows, and whether a run follows before the next edit."""
    for path in (EARLY, MIDDLE, LATE):
        (Path(settings.landing) / "customers" / path).unlink(missing_ok=True)
    for path, rows, run_follows in edits:
        write(settings, path, *(",".join(row) for row in rows))
        if run_follows:
            load_landing_files(engine, settings, business_date=DAY)
    load_landing_files(engine, settings, business_date=DAY)
    edited = contents(engine)
    empty(engine)
    load_landing_files(engine, settings, business_date=DAY)
    assert edited == contents(engine)
    empty(engine)


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("truncate marketing.customers, marketing.quarantined_rows, marketing.landing_files"))

"""The gate: passes a clean day, stops on each seeded defect with one readable line, and writes what it found."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import pytest
from quality_shop import EVENTS, Row, check, customers, events, failed, items, land, results
from sqlalchemy import Engine, text

from include.quality import QualityGateFailed
from include.quality.gate import REMEDY
from include.quality.suites import Check, Suite, suites
from include.settings import QualitySettings, Settings


@pytest.fixture
def landed(engine: Engine, settings: Settings) -> Callable[..., None]:
    """Lands a clean day; keyword arguments replace a table's rows."""

    def land_day(**replaced: list[Row]) -> None:
        for table, rows in ({"customers": customers(), "items": items(), "events": events()} | replaced).items():
            land(engine, settings, table, rows)

    return land_day


def test_a_clean_day_passes_and_a_rerun_writes_the_same(
    engine: Engine,
    settings: Settings,
    landed: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    landed()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def no_network(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the quality gate used the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)  # Postgres connects in C, beneath this
    summary = check(engine, settings)
    assert (summary.passed, summary.warnings) == (summary.checks, 0)
    first = results(engine)
    assert len(first) == summary.checks
    assert {row[1] for row in first} >= {"customers", "items", "events", "engagements"}
    assert check(engine, settings) == summary
    assert results(engine) == first
    assert list(elsewhere.iterdir()) == []


def test_no_data_at_all_stops_the_run(engine: Engine, settings: Settings) -> None:
    with pytest.raises(QualityGateFailed) as caught:
        check(engine, settings)
    message = str(caught.value)
    assert message == (
        "Quality gate failed for 2017-11-30: customers: 0 customers are known (at least 1); items: 0 items are known "
        "(at least 1); events: 0 events on the date (occurred_at) (at least 1); nothing was trained or planned. "
        + REMEDY
    )


def unknown(column: str, share: float) -> list[Row]:
    return [row | ({column: "unheard-of"} if number < share * EVENTS else {}) for number, row in enumerate(events())]


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        ({"events": unknown("item_id", 0.10)}, "events: 10% of 40 events name an unknown item (4, item_id, limit 5%)"),
        (
            {"events": unknown("customer_id", 0.25)},
            "events: 25% of 40 events name an unknown customer (10, customer_id, limit 5%)",
        ),
        (
            {"events": events() + [row | {"quantity": 0} for row in events(count=20)]},
            "events: 33.3% of the rows landed in a folder are in quarantined_rows (20 of 60, limit 5%)",
        ),
        (
            {"items": [*items(), *({"item_id": "bad", "price": "dear"} for _ in range(30))]},
            "items: 75% of the rows landed in a folder are in quarantined_rows (30 of 40, limit 5%)",
        ),
        ({"events": events(date(2017, 11, 29))}, "events: 0 events on the date (occurred_at) (at least 1)"),
    ],
    ids=["unknown items", "unknown customers", "quarantined events", "quarantined items", "the wrong day"],
)
def test_a_seeded_defect_stops_the_run_with_one_line(
    engine: Engine, settings: Settings, landed: Callable[..., None], replaced: dict[str, list[Row]], says: str
) -> None:
    landed(**replaced)
    with pytest.raises(QualityGateFailed) as caught:
        check(engine, settings)
    assert str(caught.value) == (
        f"Quality gate failed for 2017-11-30: {says}; nothing was trained or planned. {REMEDY}"
    )
    assert says in failed(engine).values()  # written although the run stops


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("quantity = 'NaN' where row_number = 1", "purchase_quantity"),
        ("quantity = 'Infinity' where row_number = 1", "purchase_quantity"),
        ("quantity = -1 where row_number = 1", "purchase_quantity"),
        ("unit_price = 'NaN' where row_number = 1", "unit_price"),
    ],
)
def test_what_never_came_through_landing_is_stopped_too(
    engine: Engine, settings: Settings, landed: Callable[..., None], change: str, column: str
) -> None:
    landed()
    with engine.begin() as connection:
        connection.execute(text(f"update marketing.events set {change}"))
    with pytest.raises(
        QualityGateFailed, match=r"^Quality gate failed for 2017-11-30: events: 2\.5% of 40 [^\n;]*; nothing was"
    ):
        check(engine, settings)
    rule = {"purchase_quantity": "bad_quantity", "unit_price": "bad_price"}[column]
    assert set(failed(engine)) == {("events", column), ("events", rule)}
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from marketing.excluded_events")).scalar_one() == 1


def test_too_few_events_stop_the_run(
    engine: Engine, make_settings: Callable[..., Settings], landed: Callable[..., None]
) -> None:
    landed()
    settings = make_settings(quality=QualitySettings(minimum_events=EVENTS + 1))
    with pytest.raises(QualityGateFailed, match=r"events: 40 events on the date \(occurred_at\) \(at least 41\)"):
        check(engine, settings)


def test_defects_below_their_limits_and_warnings_do_not_stop_the_run(
    engine: Engine, settings: Settings, landed: Callable[..., None]
) -> None:
    broken = customers()
    broken[0]["email"] = "nobody"
    broken[1]["email"] = "C2@shop.example"
    late = events()
    late[0]["occurred_at"] = "2017-12-01T00:00:00-05:00"
    landed(customers=broken, events=unknown("item_id", 0.025)[:-1] + late[:1])
    summary = check(engine, settings)
    assert summary.warnings == 3
    assert set(failed(engine)) == {("customers", "email"), ("customers", "shared_email"), ("events", "future_events")}
    assert failed(engine)[("events", "future_events")] == (
        "events: 1 events in the date's files lie after its end (limit 0)"
    )
    messages = [row[-1] for row in results(engine) if row[1] == "customers" and not row[5]]
    assert sorted(messages) == [
        "customers: 10% of 20 email addresses belong to several customers (2, email, limit 0%)",
        "customers: 5% of 20 emails are not addresses (1, email, limit 1%)",
    ]


def test_a_zone_the_database_does_not_know_is_a_warning(
    engine: Engine, settings: Settings, landed: Callable[..., None]
) -> None:
    landed()
    with engine.begin() as connection:
        connection.execute(text("update marketing.customers set time_zone = 'Mars/Base' where customer_id = 'c1'"))
    check(engine, settings)
    assert failed(engine) == {
        (
            "customers",
            "time_zone",
        ): "customers: 5% of 20 time zones are unknown to the database (1, time_zone, limit 0%)"
    }


def test_volume_is_judged_by_the_same_weekday(engine: Engine, settings: Settings, landed: Callable[..., None]) -> None:
    for day in (date(2017, 11, 9), date(2017, 11, 16), date(2017, 11, 23)):
        land(engine, settings, "events", events(day, count=10), day)
    landed()
    check(engine, settings)
    assert failed(engine) == {
        ("events", "volume_ratio"): "events: 4 times as many events as the median of this weekday (from 1/3 to 3)"
    }


def test_a_bad_folder_is_not_hidden_by_a_large_history(
    engine: Engine, settings: Settings, landed: Callable[..., None]
) -> None:
    earlier = date(2017, 11, 29)
    land(engine, settings, "events", events(earlier, count=2000), earlier)
    landed(events=[*events(), *({"event_id": f"bad{number}"} for number in range(20))])
    with pytest.raises(QualityGateFailed, match=r"events: 33\.3% of the rows landed in a folder"):
        check(engine, settings)


def test_a_check_that_cannot_be_computed_stops_the_run_whatever_its_severity(
    engine: Engine, settings: Settings, landed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    landed()
    broken = Check("events", "ExpectColumnValuesToNotBeNull", "info", "never said", "no_such_column")
    extended = tuple(
        Suite(suite.name, (*suite.checks, broken)) if suite.name == "events" else suite
        for suite in suites(settings.quality)
    )
    monkeypatch.setattr("include.quality.gate.suites", lambda _: extended)
    with pytest.raises(QualityGateFailed) as caught:
        check(engine, settings)
    assert "no_such_column failed: Error: The column" in str(caught.value)
    assert "\n" not in str(caught.value)

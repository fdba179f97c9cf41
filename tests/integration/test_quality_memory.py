"""What the gate remembers from night to night: a date that did not pass is judged again, and so is what lands late."""

from __future__ import annotations

from datetime import date

import pytest
from quality_shop import DAY, Row, check, customers, events, failed, items, land, results
from sqlalchemy import Engine, text

from include.quality import QualityGateFailed
from include.settings import Settings

BEFORE = date(2017, 11, 28)
FAILED = date(2017, 11, 29)


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> Engine:
    """Known customers and items, and a folder of good events."""
    land(engine, settings, "customers", customers(), BEFORE)
    land(engine, settings, "items", items(), BEFORE)
    land(engine, settings, "events", events(BEFORE, count=400), BEFORE)
    return engine


def bad(day: date, share: float = 0.75, count: int = 40) -> list[Row]:
    return [
        row | ({"customer_id": "unheard-of"} if number < share * count else {})
        for number, row in enumerate(events(day, count))
    ]


def test_a_failed_day_fails_the_next_night_too_until_its_file_is_mended(shop: Engine, settings: Settings) -> None:
    check(shop, settings, BEFORE)
    land(shop, settings, "events", bad(FAILED), FAILED)
    with pytest.raises(QualityGateFailed, match="75% of 40 events name an unknown customer"):
        check(shop, settings, FAILED)
    land(shop, settings, "events", events(count=1))
    for _ in range(2):
        with pytest.raises(QualityGateFailed) as caught:
            check(shop, settings)
        assert (
            "events: 75% of the earlier events of a folder name an unknown customer (30 of 40, customer_id, limit 5%);"
            in str(caught.value)
        )
    land(shop, settings, "events", events(FAILED), FAILED)
    check(shop, settings)


def test_a_failed_first_night_is_not_forgotten_beside_a_long_history(shop: Engine, settings: Settings) -> None:
    land(shop, settings, "events", bad(FAILED, count=4), FAILED)
    with pytest.raises(QualityGateFailed, match="75% of 4 events name an unknown customer"):
        check(shop, settings, FAILED)
    land(shop, settings, "events", events())
    with pytest.raises(QualityGateFailed, match="75% of the earlier events of a folder"):
        check(shop, settings)


def test_a_history_is_judged_as_a_whole_on_the_first_night(shop: Engine, settings: Settings) -> None:
    land(shop, settings, "events", bad(date(2017, 11, 5), share=0.5, count=10), date(2017, 11, 5))
    land(shop, settings, "events", events())
    check(shop, settings)  # 5 of 410
    assert failed(shop) == {}


def test_a_bad_history_stops_the_first_night(shop: Engine, settings: Settings) -> None:
    land(shop, settings, "events", bad(date(2017, 11, 5), count=100), date(2017, 11, 5))
    land(shop, settings, "events", events())
    with pytest.raises(QualityGateFailed, match=r"15% of the earlier events of a folder name an unknown customer"):
        check(shop, settings)


def test_quarantined_rows_of_a_failed_day_are_judged_again(shop: Engine, settings: Settings) -> None:
    check(shop, settings, BEFORE)
    land(shop, settings, "events", [*events(FAILED), *({"event_id": str(number)} for number in range(30))], FAILED)
    with pytest.raises(QualityGateFailed, match="quarantined_rows"):
        check(shop, settings, FAILED)
    land(shop, settings, "events", events())
    with pytest.raises(QualityGateFailed, match=r"42\.9% of the rows landed in a folder are in quarantined_rows"):
        check(shop, settings)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [*events(BEFORE), *({"event_id": str(number)} for number in range(30))],
            "events: 42.9% of the rows landed in a folder are in quarantined_rows",
        ),
        (bad(BEFORE), "events: 75% of the earlier events of a folder name an unknown customer"),
    ],
    ids=["refused rows", "unknown customers"],
)
@pytest.mark.parametrize("changed", [False, True], ids=["a new file", "a changed file"])
def test_a_file_that_lands_late_in_a_judged_folder_is_judged(
    shop: Engine, settings: Settings, rows: list[Row], says: str, changed: bool
) -> None:
    land(shop, settings, "events", events(BEFORE, count=5), BEFORE, "late.jsonl")
    land(shop, settings, "events", events(FAILED), FAILED)
    check(shop, settings, FAILED)
    named = [row | {"event_id": f"late {row['event_id']}"} for row in rows]
    land(shop, settings, "events", named, BEFORE, "late.jsonl" if changed else "later.jsonl")
    land(shop, settings, "events", events())
    with pytest.raises(QualityGateFailed) as caught:
        check(shop, settings)
    assert says in str(caught.value)


def test_a_few_late_events_among_a_days_own_are_no_alarm(shop: Engine, settings: Settings) -> None:
    check(shop, settings, BEFORE)
    late = bad(BEFORE, share=1, count=1)[0] | {"event_id": "late"}
    land(shop, settings, "events", [*events(FAILED), late], FAILED)
    check(shop, settings, FAILED)


def test_what_passed_is_not_judged_again(shop: Engine, settings: Settings) -> None:
    land(shop, settings, "events", events(FAILED), FAILED)
    check(shop, settings, FAILED)
    with shop.begin() as connection:  # as if the limits had been wider that night
        connection.execute(text("update marketing.events set customer_id = 'unheard-of'"))
    land(shop, settings, "events", events())
    check(shop, settings)


def test_a_check_that_could_not_be_computed_did_not_pass(shop: Engine, settings: Settings) -> None:
    land(shop, settings, "events", events(FAILED), FAILED)
    check(shop, settings, FAILED)
    with shop.begin() as connection:
        connection.execute(
            text(
                "update marketing.quality_results set success = false, observed_value = null"
                " where column_name = 'is_reachable'"
            )
        )
        connection.execute(text("update marketing.events set customer_id = 'unheard-of'"))
    land(shop, settings, "events", events())
    with pytest.raises(QualityGateFailed, match="100% of the earlier events of a folder"):
        check(shop, settings)


def test_a_date_judged_again_gives_the_same_results_whatever_came_after(shop: Engine, settings: Settings) -> None:
    check(shop, settings, BEFORE)
    land(shop, settings, "events", bad(FAILED), FAILED)
    with pytest.raises(QualityGateFailed):
        check(shop, settings, FAILED)
    land(shop, settings, "events", events())
    with pytest.raises(QualityGateFailed):
        check(shop, settings)
    first = results(shop)
    check(shop, settings, BEFORE)
    for day in (DAY, FAILED, DAY):
        with pytest.raises(QualityGateFailed):
            check(shop, settings, day)
    assert results(shop) == first


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("engagements", [{"message_id": f"m{number}", "engagement_type": "open"} for number in range(200)]),
        ("customers", [*customers(), *({"customer_id": ""} for _ in range(19))]),
    ],
)
def test_refused_engagements_and_a_few_refused_rows_of_any_table_are_warnings(
    shop: Engine, settings: Settings, table: str, rows: list[Row]
) -> None:
    land(shop, settings, "events", events())
    land(shop, settings, table, rows)
    assert check(shop, settings).warnings == 1
    ((key, message),) = failed(shop).items()
    assert key[0] == table
    assert "of the rows landed in a folder are in quarantined_rows" in message

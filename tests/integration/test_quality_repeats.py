"""An event told twice under different ids counts once, whatever is corrected, lands late or is judged again."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from quality_shop import DAY, check, customers, events, failed, items, land
from sqlalchemy import Engine, text

from include.quality import QualityGateFailed
from include.settings import Settings

NEXT = DAY + timedelta(days=1)
LATE = DAY - timedelta(days=1)  # a folder before the others
TWINS = {name: events()[0] | {"event_id": name} for name in ("e0", "e1", "e2")}


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> Engine:
    """A shop of two days, whose events e1 and e2 are the same, each in a file of its own."""
    for table, rows in (("customers", customers()), ("items", items()), ("events", events()[1:])):
        land(engine, settings, table, rows)
    land(engine, settings, "events", events(NEXT), NEXT)
    write(engine, settings, "e1")
    write(engine, settings, "e2")
    return engine


def write(engine: Engine, settings: Settings, name: str, day: date = DAY, **changed: object) -> None:
    """The file of one of the twins; a change of its second row is no change of the twin."""
    other = events(day)[1] | {"event_id": f"beside {name}", "query": name}
    land(engine, settings, "events", [TWINS[name], other | changed], day, f"{name}.jsonl")


def counted(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        excluded = set(connection.execute(text("select event_id from marketing.excluded_events")).scalars())
        rows = connection.execute(
            text("select event_id from marketing.events where event_id = any(:ids)"), {"ids": [*TWINS]}
        )
        return sorted(set(rows.scalars()) - excluded)


@pytest.mark.parametrize("corrected", [["e1"], ["e2"], ["e1", "e2"], ["e2", "e1"]], ids=" then ".join)
@pytest.mark.parametrize("night", [DAY, NEXT], ids=["the same night", "the next night"])
def test_a_corrected_file_leaves_the_same_one_counted(
    shop: Engine, settings: Settings, corrected: list[str], night: date
) -> None:
    check(shop, settings)
    assert counted(shop) == ["e1"]
    for name in corrected:
        write(shop, settings, name, order_id="corrected")
        check(shop, settings, night)
        assert counted(shop) == ["e1"]


def test_what_was_repeated_is_gone_and_its_repeat_counts(shop: Engine, settings: Settings) -> None:
    check(shop, settings)
    land(shop, settings, "events", [events()[1] | {"event_id": "beside e1", "query": "e1"}], DAY, "e1.jsonl")
    for night in (NEXT, NEXT, DAY):  # once more, and the former one by hand
        check(shop, settings, night)
        assert counted(shop) == ["e2"]


def test_one_that_lands_late_under_an_earlier_folder_is_the_one_that_counts(shop: Engine, settings: Settings) -> None:
    check(shop, settings)
    write(shop, settings, "e0", LATE)
    for night in (NEXT, NEXT, DAY, NEXT):
        check(shop, settings, night)
        assert counted(shop) == ["e0"]


def test_a_judged_folder_that_is_told_again_under_an_earlier_one_stops_the_night(
    shop: Engine, settings: Settings
) -> None:
    check(shop, settings)
    land(shop, settings, "events", [row | {"event_id": f"again {row['event_id']}"} for row in events()], LATE)
    with pytest.raises(QualityGateFailed, match="repeat others under another id"):
        check(shop, settings, NEXT)
    assert ("events", "duplicate_share") in failed(shop, NEXT)


def test_a_later_nights_repeats_are_not_those_of_an_earlier_one(shop: Engine, settings: Settings) -> None:
    land(shop, settings, "events", [events(NEXT)[0] | {"event_id": "twice"}], NEXT, "twice.jsonl")
    check(shop, settings)
    check(shop, settings, NEXT)
    check(shop, settings)
    with shop.connect() as connection:
        rows = connection.execute(text("select business_date, row_key, is_set_aside from marketing.quality_failures"))
        assert sorted(map(tuple, rows)) == [(DAY, "e2", True), (NEXT, "twice", True)]

"""The build again: for the same date, for an earlier one, after late events, beside readers and beside itself."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from features_world import customer_profiles, event, interaction_rows, land, table_hashes
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from include.features import FeatureSummary, build_features
from include.settings import Settings

D = date(2017, 11, 30)
EARLIER = date(2017, 11, 20)


@pytest.fixture
def world(engine: Engine) -> Engine:
    land(
        engine,
        customer_rows=[{"customer_id": "a", "time_zone": "Asia/Tokyo"}, {"customer_id": "silent"}],
        item_rows=[{"item_id": f"item {number}", "category": f"category {number % 3}"} for number in range(7)],
        event_rows=[
            event(customer, kind, f"2017-11-{day:02}T{hour:02}:15+00:00", f"item {(day * hour) % 7}", 1, day / 4)
            for customer in ("a", "b", "c")
            for kind in ("view", "purchase")
            for day in range(1, 31, 2)
            for hour in (9, ord(customer) - 80)
        ],
    )
    return engine


def test_a_rerun_gives_the_same_bits(world: Engine, settings: Settings) -> None:
    first = build_features(world, settings, business_date=D)
    hashes = table_hashes(world)
    for _ in range(2):
        assert build_features(world, settings, business_date=D) == first
        assert table_hashes(world) == hashes


def test_an_earlier_date_does_not_see_later_events(world: Engine, settings: Settings) -> None:
    build_features(world, settings, business_date=EARLIER)
    alone = table_hashes(world)
    with world.begin() as connection:
        later = connection.execute(text("delete from marketing.events where occurred_at >= '2017-11-21 05:00+00'"))
        assert later.rowcount > 0
    build_features(world, settings, business_date=EARLIER)
    assert table_hashes(world) == alone


def test_dates_stand_side_by_side_and_interactions_are_the_last_builds(world: Engine, settings: Settings) -> None:
    build_features(world, settings, business_date=D)
    build_features(world, settings, business_date=EARLIER)
    with world.connect() as connection:
        for table in ("customer_features", "item_features"):
            dates = connection.execute(
                text(f"select distinct business_date from marketing.{table} order by 1")
            ).scalars()
            assert list(dates) == [EARLIER, D]
    assert {row.business_date for row in interaction_rows(world).values()} == {EARLIER}


def test_an_event_that_lands_late_counts_on_its_own_day(world: Engine, settings: Settings) -> None:
    build_features(world, settings, business_date=D)
    assert ("late", "item 1") not in interaction_rows(world)
    land(world, event_rows=[event("late", "purchase", "2017-10-01T17:00+00:00", "item 1", 1, 1.0)])
    build_features(world, settings, business_date=D)
    assert interaction_rows(world)["late", "item 1"].weight == pytest.approx(0.5, abs=1e-11)
    assert customer_profiles(world)["late"].recency == 60


def test_a_build_that_fails_at_the_end_leaves_everything_as_it_was(world: Engine, settings: Settings) -> None:
    build_features(world, settings, business_date=EARLIER)
    before = table_hashes(world)
    with world.begin() as connection:
        connection.execute(
            text("alter table marketing.customer_features add constraint trap check (segment = 'never') not valid")
        )
    with pytest.raises(DBAPIError, match="trap"):
        build_features(world, settings, business_date=D)
    assert table_hashes(world) == before
    with world.begin() as connection:
        connection.execute(text("alter table marketing.customer_features drop constraint trap"))
    build_features(world, settings, business_date=D)
    assert {row.business_date for row in interaction_rows(world).values()} == {D}


def test_readers_see_the_former_rows_until_the_build_commits(world: Engine, settings: Settings) -> None:
    build_features(world, settings, business_date=EARLIER)
    before = table_hashes(world)
    with _held_at(world, "customer_features"):  # which is written last
        build = _in_thread(world, settings, D)
        _wait_for_lock(world)
        assert table_hashes(world) == before
    assert build().business_date == str(D)
    assert {row.business_date for row in interaction_rows(world).values()} == {D}


def test_two_builds_at_once_take_turns(world: Engine, settings: Settings) -> None:
    build_features(world, settings, business_date=D)
    hashes = table_hashes(world)
    with _held_at(world, "customer_features"):
        builds = [_in_thread(world, settings, D), _in_thread(world, settings, D)]
        _wait_for_lock(world, waiting=2)
    assert builds[0]() == builds[1]()
    assert table_hashes(world) == hashes


@contextmanager
def _held_at(engine: Engine, table: str) -> Iterator[None]:
    """While inside, nobody writes to ``table``; reading goes on."""
    with engine.begin() as connection:
        connection.execute(text(f"lock table marketing.{table} in share mode"))
        yield


def _in_thread(engine: Engine, settings: Settings, day: date) -> Callable[[], FeatureSummary]:
    """Start a build; the returned function waits for it and gives its summary."""
    results: list[FeatureSummary] = []
    thread = threading.Thread(target=lambda: results.append(build_features(engine, settings, business_date=day)))
    thread.start()

    def finish() -> FeatureSummary:
        thread.join(timeout=60)
        return results[0]

    return finish


def _wait_for_lock(engine: Engine, waiting: int = 1) -> None:
    """Until this many sessions of the test's database wait for a lock."""
    query = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            if connection.execute(query).scalar_one() >= waiting:
                return
        time.sleep(0.05)
    raise AssertionError(f"{waiting} waiting sessions never came")


def _catalogue(engine: Engine, business_date: date) -> dict[str, tuple[float | None, bool | None]]:
    query = text("select item_id, list_price, in_stock from marketing.item_features where business_date = :day")
    with engine.connect() as connection:
        rows = connection.execute(query, {"day": business_date}).all()
    return {row.item_id: (row.list_price and float(row.list_price), row.in_stock) for row in rows}


def test_the_catalogues_past_is_kept_and_never_invented(engine: Engine, settings: Settings) -> None:
    """The catalogue of the newest date is today's, also when it is built again; that of an earlier one stays."""

    def offer(price: float, in_stock: bool) -> None:
        with engine.begin() as connection:
            statement = text("update marketing.items set price = :price, in_stock = :in_stock where item_id = 'i'")
            connection.execute(statement, {"price": price, "in_stock": in_stock})

    at = "2017-11-19T12:00+00:00"
    land(
        engine,
        item_rows=[{"item_id": "i", "price": 10, "in_stock": True}, {"item_id": "never seen", "price": 1}],
        event_rows=[event("a", "view", at, "i"), event("a", "view", at, "not in the catalogue")],
    )
    build_features(engine, settings, business_date=EARLIER)
    assert _catalogue(engine, EARLIER) == {"i": (10, True), "not in the catalogue": (None, None)}
    offer(9, in_stock=False)
    build_features(engine, settings, business_date=EARLIER)
    assert _catalogue(engine, EARLIER)["i"] == (9, False), "built again as the newest date"
    build_features(engine, settings, business_date=D)
    offer(8, in_stock=True)
    for _ in range(2):
        build_features(engine, settings, business_date=EARLIER)
        assert _catalogue(engine, EARLIER)["i"] == (9, False), "an earlier date"
    build_features(engine, settings, business_date=date(2017, 11, 25))
    assert _catalogue(engine, date(2017, 11, 25))["i"] == (None, None), "an earlier date that was never built"
    build_features(engine, settings, business_date=D)
    assert (_catalogue(engine, EARLIER)["i"], _catalogue(engine, D)["i"]) == ((9, False), (8, True))

"""A team's own events table as a source: its new rows once each, whatever is repeated, late or killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, text

from include.db.engine import make_engine
from include.landing import LandingFileError, export_sources, load_landing_files
from include.settings import Settings, load_settings

FIRST, SECOND = date(2017, 11, 29), date(2017, 11, 30)
SOURCE = {
    "table": "events",
    "relation": "shop.Order lines",
    "columns": {"event_id": "id", "event_type": "kind", "customer_id": 'who "q"', "occurred_at": "at"},
    "watermark": "seen at",
    "lag_minutes": 60,
}


@pytest.fixture
def shop(engine: Engine) -> Callable[[int, str, str], None]:
    def execute(statement: str, **values: Any) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement), values)

    execute("create schema shop")
    execute(
        'create table shop."Order lines" (id int, kind text, "who ""q""" text, at timestamptz, "seen at" timestamptz)'
    )
    return lambda number, kind, seen: execute(
        "insert into shop.\"Order lines\" values (:number, :kind, 'c1', :seen, :seen)",
        number=number,
        kind=kind,
        seen=seen,
    )


def ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("select event_id from marketing.events order by 1")).scalars())


def test_new_rows_are_landed_once_and_late_ones_within_the_lag(
    shop: Callable[[int, str, str], None], engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(sources=[SOURCE], business_time_zone="UTC")

    def night(day: date) -> tuple[int, int]:
        export_sources(engine, settings, business_date=day)
        summary = load_landing_files(engine, settings, business_date=day)
        return summary.files_loaded, summary.rows_quarantined

    shop(1, "view", "2017-11-29T12:00:00Z")
    shop(2, "stare", "2017-11-29T12:00:00Z")
    shop(3, "view", "2017-11-30T00:00:00Z")
    assert night(FIRST) == (1, 1)
    assert ids(engine) == ["1"]
    assert night(FIRST) == (0, 0)
    shop(4, "view", "2017-11-29T23:30:00Z")  # late, within the lag
    shop(5, "view", "2017-11-29T20:00:00Z")  # later than the lag allows
    assert night(SECOND) == (1, 0)
    assert ids(engine) == ["1", "3", "4"]
    assert night(SECOND) == (0, 0)
    assert night(FIRST) == (1, 1)  # by hand, once more: what came late comes in too
    assert ids(engine) == ["1", "3", "4", "5"]
    folders = Path(settings.landing) / "events"
    assert sorted(path.name for path in folders.rglob("*.csv")) == ["source-shop.Order lines.csv"] * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"relation": "shop.orders"}, r"sources\[0\].relation: there is no readable table shop.orders"),
        ({"columns": {"event_id": "x; drop"}}, r"sources\[0\].columns.event_id: .* has no column 'x; drop'; it has at"),
        (
            {"database_url": "postgresql+psycopg2://ada:secret@127.0.0.1:1/shop"},
            r"^sources\[0\]: shop.Order lines cannot be read \(OperationalError\): check database_url and its rights$",
        ),
        ({"watermark": "id"}, r"sources\[0\].watermark: .* of type timestamp with time zone"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(
    shop: Callable[[int, str, str], None],
    engine: Engine,
    make_settings: Callable[..., Settings],
    change: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(LandingFileError, match=said):
        export_sources(engine, make_settings(sources=[SOURCE | change]), business_date=FIRST)


def test_a_broken_source_is_named_and_does_not_keep_the_others_out(
    shop: Callable[[int, str, str], None], engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    shop(1, "view", "2017-11-29T12:00:00Z")
    broken = SOURCE | {"relation": "shop.nowhere"}
    settings = make_settings(sources=[broken, SOURCE], business_time_zone="UTC")
    with pytest.raises(LandingFileError, match=r"sources\[0\].relation"):
        export_sources(engine, settings, business_date=FIRST)
    load_landing_files(engine, settings, business_date=FIRST)
    assert ids(engine) == ["1"]


def test_a_source_named_twice_is_refused(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(ValidationError, match=r"shop.Order lines fills events twice"):
        make_settings(sources=[SOURCE, SOURCE | {"watermark": "at"}])


def test_a_folder_that_is_no_date_is_passed_over(
    shop: Callable[[int, str, str], None], engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(sources=[SOURCE], business_time_zone="UTC")
    stray = Path(settings.landing) / "events" / "2017-99-99" / "source-shop.Order lines.csv"
    stray.parent.mkdir(parents=True)
    stray.write_text("event_id\n")
    shop(1, "view", "2017-11-29T12:00:00Z")
    export_sources(engine, settings, business_date=FIRST)
    load_landing_files(engine, settings, business_date=FIRST)
    assert ids(engine) == ["1"]


def test_an_export_that_dies_leaves_the_former_file(
    shop: Callable[[int, str, str], None],
    engine: Engine,
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(sources=[SOURCE], business_time_zone="UTC")
    shop(1, "view", "2017-11-29T12:00:00Z")
    export_sources(engine, settings, business_date=FIRST)
    shop(2, "view", "2017-11-29T13:00:00Z")
    with monkeypatch.context() as patch:
        # Just before the finished file takes its name.
        patch.setattr(
            "fsspec.implementations.local.LocalFileSystem.mv", lambda *_, **__: (_ for _ in ()).throw(OSError("dead"))
        )
        with pytest.raises(OSError, match="dead"):
            export_sources(engine, settings, business_date=FIRST)
    load_landing_files(engine, settings, business_date=FIRST)
    assert ids(engine) == ["1"]
    export_sources(engine, settings, business_date=FIRST)
    load_landing_files(engine, settings, business_date=FIRST)
    assert ids(engine) == ["1", "2"]


@pytest.fixture
def make_shop_database(make_database: Callable[[str], str]) -> Callable[[str], str]:
    """Makes a database of the given encoding beside the marketing one, with a table of customers; returns its URL."""

    def make(encoding: str) -> str:
        url = make_database(encoding)
        shop = create_engine(url)
        with shop.begin() as connection:
            connection.execute(text("create table customers (name text, changed timestamptz)"))
            # In the encoding's bytes; SQL_ASCII says nothing about the bytes it holds.
            name = {"UTF8": r"Andr\303\251", "LATIN1": r"Andr\351", "SQL_ASCII": r"Andr\351"}[encoding]
            connection.execute(text(f"insert into customers values (E'{name}', '2017-11-29T12:00:00Z')"))
        shop.dispose()
        return url

    return make


CUSTOMERS_SOURCE = {
    "table": "customers",
    "relation": "public.customers",
    "columns": {"customer_id": "name", "created_at": "changed"},
    "watermark": "changed",
}


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_a_source_in_another_database_named_by_the_environment(
    make_shop_database: Callable[[str], str],
    engine: Engine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
) -> None:
    source = CUSTOMERS_SOURCE | {"database_url": make_shop_database(encoding)}
    monkeypatch.setenv("LAMPLIGHTER_SOURCES", json.dumps([source]))
    monkeypatch.setenv("LAMPLIGHTER_LANDING", settings.landing)
    # Of the whole process, as an operator may have it; landing files are UTF-8 all the same.
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    assert settings.database_url is not None
    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", settings.database_url.get_secret_value())
    from_environment = load_settings()
    marketing = make_engine(from_environment)
    export_sources(marketing, from_environment, business_date=FIRST)
    load_landing_files(marketing, from_environment, business_date=FIRST)
    marketing.dispose()
    with engine.connect() as connection:
        assert connection.execute(text("select customer_id from marketing.customers")).scalars().all() == ["Andr\u00e9"]


def test_a_source_whose_bytes_are_no_text_is_named_with_the_remedy(
    make_shop_database: Callable[[str], str], engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    source = CUSTOMERS_SOURCE | {"database_url": make_shop_database("SQL_ASCII")}
    with pytest.raises(
        LandingFileError, match=r"^sources\[0\]: public.customers has rows .* as UTF-8, .* name a view"
    ) as said:
        export_sources(engine, make_settings(sources=[source]), business_date=FIRST)
    assert "Andr" not in str(said.value)


def test_arrays_and_rows_of_nothing_arrive_as_such(engine: Engine, make_settings: Callable[..., Settings]) -> None:
    with engine.begin() as connection:
        connection.execute(text("create schema shop"))
        connection.execute(text("create table shop.people (id text, tags text[], more json, seen timestamptz)"))
        connection.execute(
            text(
                "insert into shop.people values"
                " ('c1', :tags, '1', :seen), (null, null, null, :seen), ('', '{}', null, :seen)"
            ),
            {"tags": ["a,b", "c"], "seen": "2017-11-29T12:00:00Z"},
        )
    people = {"table": "customers", "relation": "shop.people", "watermark": "seen", "columns": {"customer_id": "id"}}
    with_tags = people | {"columns": {"customer_id": "id", "tags": "tags", "more": "more"}}
    for source, attributes in ((people, {}), (with_tags, {"tags": '["a,b","c"]', "more": "1"})):
        settings = make_settings(sources=[source])
        export_sources(engine, settings, business_date=FIRST)
        summary = load_landing_files(engine, settings, business_date=FIRST)
        assert (summary.rows_accepted, summary.rows_quarantined) == (1, 2)
        with engine.connect() as connection:
            landed = connection.execute(text("select customer_id, attributes from marketing.customers")).all()
            reasons = connection.execute(text("select distinct reason from marketing.quarantined_rows")).scalars().all()
        assert landed == [("c1", attributes)]
        assert reasons == ["customer_id is missing"]


RELATIONS = {
    "a table": "alter table warehouse.lines rename to people",
    "a view": "create view shop.people as select * from warehouse.lines",
    "a materialized view": "create materialized view shop.people as select * from warehouse.lines",
    "a partitioned table": """
        create table shop.people (like warehouse.lines) partition by list (id);
        create table shop.one partition of shop.people default;
        insert into shop.people select * from warehouse.lines""",
}


@pytest.mark.parametrize("kind", RELATIONS)
def test_a_source_may_be_any_relation_with_rows(
    engine: Engine, make_settings: Callable[..., Settings], kind: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text("create schema shop; create schema warehouse; create domain shop.words text[]"))
        connection.execute(
            text("create table warehouse.lines (id text, gone int, tags shop.words, seen timestamptz(3))")
        )
        connection.execute(text("alter table warehouse.lines drop gone"))
        connection.execute(text("insert into warehouse.lines values ('c1', '{a,b}', '2017-11-29T12:00:00Z')"))
        connection.execute(text(RELATIONS[kind]))
    source = {
        "table": "customers",
        "relation": "warehouse.people" if kind == "a table" else "shop.people",
        "columns": {"customer_id": "id", "tags": "tags"},
        "watermark": "seen",
    }
    settings = make_settings(sources=[source])
    export_sources(engine, settings, business_date=FIRST)
    load_landing_files(engine, settings, business_date=FIRST)
    with engine.connect() as connection:
        landed = connection.execute(text("select customer_id, attributes from marketing.customers")).all()
    assert landed == [("c1", {"tags": '["a","b"]'})]


@pytest.mark.parametrize("right", ["usage on schema shop", 'select on shop."Order lines"'])
def test_a_source_that_may_not_be_read_is_named_with_the_remedy(
    shop: Callable[[int, str, str], None], engine: Engine, make_settings: Callable[..., Settings], right: str
) -> None:
    url = engine.url.set(username="reader").render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text("create role reader login"))
        connection.execute(text("grant usage on schema shop to reader"))
        connection.execute(text('grant select on shop."Order lines" to reader'))
        connection.execute(text(f"revoke {right} from reader"))
    try:
        with pytest.raises(
            LandingFileError,
            match=r"^sources\[0\]: shop.Order lines cannot be read \(InsufficientPrivilege\): check .* its rights$",
        ):
            export_sources(engine, make_settings(sources=[SOURCE | {"database_url": url}]), business_date=FIRST)
    finally:
        with engine.begin() as connection:
            connection.execute(text("drop owned by reader; drop role reader"))

"""Landing files into real tables: every format, once each, whole or not at all."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from include.landing import LandingFileError, load_landing_files
from include.landing import load as load_module
from include.settings import Settings

DAY = date(2017, 11, 30)
HEADER = "event_id,event_type,customer_id,occurred_at,item_id,quantity,unit_price"


def drop(settings: Settings, path: str, content: str | bytes) -> Path:
    file = Path(settings.landing) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def purchase(event_id: str, customer: str = "c1", price: str = "1.50", at: str = "2017-11-30T18:05:00-05:00") -> str:
    return f"{event_id},purchase,{customer},{at},i1,2,{price}"


def csv(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


def fetch(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def prices(engine: Engine) -> dict[str, Decimal]:
    return {row[0]: row[1] for row in fetch(engine, "select event_id, unit_price from marketing.events")}


@pytest.fixture
def load(engine: Engine, settings: Settings) -> Callable[..., Any]:
    return lambda day=DAY, **options: load_landing_files(engine, settings, business_date=day, **options)


EVENT = {
    "event_id": "e1",
    "event_type": "purchase",
    "customer_id": "c1",
    "occurred_at": "2017-11-30T18:05:00-05:00",
    "quantity": 2,
    "unit_price": 1.25,
    "store": "s9",
}


def as_csv(path: Path, event: dict[str, Any]) -> None:
    pd.DataFrame([event]).to_csv(path, index=False)


def as_jsonl(path: Path, event: dict[str, Any]) -> None:
    path.write_text(json.dumps(event) + "\n")


def as_parquet(path: Path, event: dict[str, Any]) -> None:
    frame = pd.DataFrame([event])
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"])
    frame.to_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", as_csv),
        ("a.csv.gz", as_csv),
        ("a.jsonl", as_jsonl),
        ("a.jsonl.gz", as_jsonl),
        ("a.parquet", as_parquet),
    ],
)
def test_every_format_says_the_same(
    load: Callable[..., Any], engine: Engine, settings: Settings, name: str, write: Callable[..., None]
) -> None:
    path = drop(settings, f"events/2017-11-30/{name.removesuffix('.gz')}", "")
    write(path, EVENT)
    if name.endswith(".gz"):
        path.with_name(name).write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    summary = load()
    assert (summary.files_loaded, summary.rows_accepted, summary.rows_quarantined) == (1, 1, 0)
    (row,) = fetch(
        engine,
        "select event_id, event_type, customer_id, occurred_at, quantity, unit_price, query, properties, row_number"
        " from marketing.events",
    )
    instant = datetime(2017, 11, 30, 23, 5, tzinfo=UTC)
    assert row == ("e1", "purchase", "c1", instant, 2.0, Decimal("1.2500"), None, {"store": "s9"}, 1)


def test_lists_and_flags_of_a_campaign_in_csv_and_json(
    load: Callable[..., Any], engine: Engine, settings: Settings
) -> None:
    header = "campaign_id,name,channels,starts_on,ends_on,audience,control_share,requires_approval,items_per_message"
    drop(
        settings,
        "campaigns/2017-11-30/a.csv",
        csv('k1,Spring,"email, app_push",2017-12-01,2017-12-31,loyal|at_risk,0.1,true,3', header=header),
    )
    campaign = {"campaign_id": "k2", "name": "Summer", "channels": ["email"], "starts_on": "2017-12-01"}
    drop(settings, "campaigns/2017-11-30/b.jsonl", json.dumps(campaign | {"ends_on": "2017-12-01", "audience": None}))
    load()
    assert fetch(
        engine,
        "select campaign_id, channels, audience, control_share, requires_approval, items_per_message"
        " from marketing.campaigns order by 1",
    ) == [("k1", ["email", "app_push"], ["loyal", "at_risk"], 0.1, True, 3), ("k2", ["email"], None, None, None, None)]


def test_a_file_is_loaded_once(load: Callable[..., Any], engine: Engine, settings: Settings) -> None:
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1"), "e2,purchase,c1,yesterday,i1,1,1"))
    assert load().files_loaded == 1
    before = fetch(engine, "select * from marketing.events") + fetch(engine, "select * from marketing.quarantined_rows")
    again = load()
    assert (again.files_loaded, again.files_unchanged, again.rows_accepted) == (0, 1, 0)
    assert before == fetch(engine, "select * from marketing.events") + fetch(
        engine, "select * from marketing.quarantined_rows"
    )


def test_a_changed_file_replaces_its_own_rows_only(
    load: Callable[..., Any], engine: Engine, settings: Settings
) -> None:
    drop(settings, "events/2017-11-29/other.csv", csv(purchase("o1")))
    path = drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1"), purchase("e2"), "bad,row"))
    load()
    path.write_text(csv(purchase("e2", price="9"), purchase("e3")))
    summary = load()
    assert (summary.files_loaded, summary.files_unchanged) == (1, 1)
    assert prices(engine) == {"o1": Decimal("1.5"), "e2": Decimal("9"), "e3": Decimal("1.5")}
    assert fetch(engine, "select count(*) from marketing.quarantined_rows") == [(0,)]
    assert fetch(engine, "select rows_accepted, rows_quarantined from marketing.landing_files order by file") == [
        (1, 0),
        (2, 0),
    ]


def test_a_file_that_is_gone_leaves_its_rows(load: Callable[..., Any], engine: Engine, settings: Settings) -> None:
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    load()
    (Path(settings.landing) / "events/2017-11-30/a.csv").unlink()
    assert load().files_loaded == 0
    assert set(prices(engine)) == {"e1"}


def test_a_later_file_wins_whenever_it_arrives(load: Callable[..., Any], engine: Engine, settings: Settings) -> None:
    older = drop(settings, "events/2017-11-29/a.csv", csv(purchase("e1", price="1")))
    load()
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1", price="2")))
    load()
    assert prices(engine) == {"e1": Decimal(2)}
    older.write_text(csv(purchase("e1", price="3"), purchase("e0")))
    assert load().rows_accepted == 2
    assert prices(engine) == {"e1": Decimal(2), "e0": Decimal("1.5")}


def test_a_replaced_row_keeps_nothing_of_the_former(
    load: Callable[..., Any], engine: Engine, settings: Settings
) -> None:
    drop(settings, "customers/2017-11-29/a.csv", "customer_id,email,club\nc1,a@shop.example,gold\n")
    drop(settings, "customers/2017-11-30/a.csv", "customer_id,country\nc1,US\n")
    load()
    assert fetch(engine, "select email, country, attributes from marketing.customers") == [(None, "US", {})]


def test_an_engagement_reported_twice_counts_once(load: Callable[..., Any], engine: Engine, settings: Settings) -> None:
    header = "message_id,engagement_type,occurred_at,url"
    drop(settings, "engagements/2017-11-29/a.csv", csv("m1,click,2017-11-30T18:05:00-05:00,/x", header=header))
    drop(settings, "engagements/2017-11-30/b.csv", csv("m1,click,2017-11-30T23:05:00Z,/x", header=header))
    assert load(tables=("engagements",)).rows_accepted == 2
    assert fetch(
        engine,
        "select engagement_id = encode(sha256('m1|||click|2017-11-30T23:05:00.000000Z|/x'), 'hex')"
        " from marketing.engagements",
    ) == [(True,)]


def test_only_the_named_tables_are_loaded(load: Callable[..., Any], engine: Engine, settings: Settings) -> None:
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    assert load(tables=("engagements",)).files_loaded == 0
    with pytest.raises(ValueError, match="no landing tables orders; there are customers"):
        load(tables=("orders",))


def test_empty_files_are_fine(load: Callable[..., Any], settings: Settings) -> None:
    drop(settings, "events/2017-11-30/a.csv", "")
    drop(settings, "events/2017-11-30/b.jsonl", "")
    drop(settings, "events/2017-11-30/c.csv", HEADER + "\n")
    summary = load()
    assert (summary.files_loaded, summary.rows_accepted, summary.rows_quarantined) == (3, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "b.csv",
            "event_id,event_type,client,occurred_at\ne9,view,c,x\n",
            "column customer_id is missing; columns found",
        ),
        ("b.csv", "event_id,event_id\n", "customer_id"),
        (
            "b.csv",
            "e9,view,ada@example.com,x\n" * 2,
            "none of the 4 columns is one of event_id, event_type, customer_id",
        ),
        ("b.csv.gz", gzip.compress(csv(purchase("e9")).encode(), mtime=0)[:-9], "cannot be read"),
        ("b.csv.gz", csv(purchase("e9")), "Not a gzipped file"),
        ("b.jsonl.gz", gzip.compress(b'{"event_id": "e9"}\n' * 9, mtime=0)[:-9], "cannot be read"),
        ("b.parquet", "no parquet", "cannot be read"),
    ],
)
def test_a_broken_file_stops_the_run_after_all_others_are_loaded(
    load: Callable[..., Any], engine: Engine, settings: Settings, name: str, content: str | bytes, reason: str
) -> None:
    drop(settings, f"events/2017-11-30/{name}", content)
    drop(settings, "events/2017-11-30/z.csv", csv(purchase("e1")))
    with pytest.raises(LandingFileError) as caught:
        load()
    assert f"events/2017-11-30/{name}: " in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "ada@example.com" not in str(caught.value)
    assert set(prices(engine)) == {"e1"}
    assert fetch(engine, "select file from marketing.landing_files") == [("events/2017-11-30/z.csv",)]


def killed_at(database_url: str, engine: Engine, statement: str) -> Engine:
    """An engine whose session is ended as it comes to such a statement."""

    def kill(connection: Any, cursor: Any, sql: str, *_: Any) -> None:
        if sql.lstrip().startswith(statement):
            pid = connection.connection.driver_connection.info.backend_pid
            with engine.begin() as administration:
                administration.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    dying = create_engine(database_url)
    event.listen(dying, "before_cursor_execute", kill)
    return dying


@pytest.mark.parametrize("statement", ["INSERT INTO marketing.events", "UPDATE marketing.landing_files"])
def test_a_killed_load_leaves_the_former_rows_and_can_be_repeated(
    database_url: str, engine: Engine, settings: Settings, statement: str
) -> None:
    path = drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1"), "bad,row"))
    load_landing_files(engine, settings, business_date=DAY)
    path.write_text(csv(purchase("e2")))

    dying = killed_at(database_url, engine, statement)
    with pytest.raises(OperationalError):
        load_landing_files(dying, settings, business_date=DAY)
    dying.dispose()
    assert set(prices(engine)) == {"e1"}
    assert fetch(engine, "select rows_accepted, rows_quarantined from marketing.landing_files") == [(1, 1)]
    assert load_landing_files(engine, settings, business_date=DAY).rows_accepted == 1
    assert set(prices(engine)) == {"e2"}


@pytest.mark.parametrize("statement", ["truncate", "ALTER TABLE marketing.events ADD", "CREATE INDEX", "analyze"])
def test_a_killed_first_load_leaves_an_empty_table_and_can_be_repeated(
    database_url: str, engine: Engine, settings: Settings, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1"), "bad,row", purchase("e1")))
    dying = killed_at(database_url, engine, statement)
    with pytest.raises(OperationalError):
        load_landing_files(dying, settings, business_date=DAY)
    dying.dispose()
    assert prices(engine) == {}
    assert load_landing_files(engine, settings, business_date=DAY).rows_accepted == 1
    assert set(prices(engine)) == {"e1"}


@pytest.mark.parametrize(
    "needing",
    [
        "create view public.by_event as select event_id, event_type from marketing.events group by event_id",
        'create table public.notes (event_id text collate "C" references marketing.events)',
        "create publication everything for all tables",
    ],
)
def test_a_table_that_others_need_as_it_is_is_filled_row_by_row(
    load: Callable[..., Any], engine: Engine, settings: Settings, needing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    with engine.begin() as connection:
        connection.execute(text(needing))
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1"), "bad,row", purchase("e1", price="2.50")))
    summary = load()
    assert (summary.rows_accepted, summary.rows_quarantined) == (1, 2)
    assert prices(engine) == {"e1": Decimal("2.5000")}


def test_a_row_that_another_session_commits_during_a_first_load_stays(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    other = engine.connect()
    other.execute(
        text(
            "insert into marketing.events (event_id, event_type, customer_id, occurred_at, file_id, row_number)"
            " values ('theirs', 'view', 'c', '2017-11-30Z', 0, 0)"
        )
    )
    loading = threading.Thread(target=load_landing_files, args=(engine, settings), kwargs={"business_date": DAY})
    loading.start()
    loading.join(0.3)
    other.commit()
    other.close()
    loading.join()
    assert set(prices(engine)) == {"e1", "theirs"}


def test_a_row_committed_just_before_a_first_load_has_the_table_to_itself_stays(
    load: Callable[..., Any], engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    locks = []

    def commit_theirs(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("lock table marketing.events"):
            return
        locks.append(statement)
        with other.begin() as theirs:
            theirs.execute(
                text(
                    "insert into marketing.events (event_id, event_type, customer_id, occurred_at, file_id, row_number)"
                    " values ('theirs', 'view', 'c', '2017-11-30Z', 0, 0)"
                )
            )

    other = create_engine(engine.url)
    event.listen(engine, "before_cursor_execute", commit_theirs)
    load()
    other.dispose()
    assert len(locks) == 1
    assert set(prices(engine)) == {"e1", "theirs"}


def test_a_first_load_does_not_wait_for_a_reader_who_stays(
    load: Callable[..., Any], engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    with engine.connect() as reader:
        reader.execute(text("select count(*) from marketing.events"))
        assert load().rows_accepted == 1


def test_a_reader_of_an_older_snapshot_loses_no_row_to_a_corrected_file(
    load: Callable[..., Any], engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    load()
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    count = text("select count(*) from marketing.events")
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as reader:
        reader.execute(text("select 1 from marketing.landing_files"))
        path.write_text(csv(purchase("e2"), purchase("e3")))
        load()
        assert reader.execute(count).scalar_one() == 1
    with engine.connect() as later:
        assert later.execute(count).scalar_one() == 2


def test_a_file_that_is_gone_since_it_was_listed_is_passed_over(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listed = load_module.find_landing_files
    path = drop(settings, "events/2017-11-29/a.csv", csv(purchase("e1")))
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e2")))

    def find(*arguments: Any) -> Any:
        found = listed(*arguments)
        path.unlink()
        return found

    monkeypatch.setattr(load_module, "find_landing_files", find)
    assert load_landing_files(engine, settings, business_date=DAY).files_loaded == 1
    assert set(prices(engine)) == {"e2"}
    assert "events/2017-11-29/a.csv is gone" in caplog.text


def test_indexes_and_key_are_there_after_a_large_first_load(
    load: Callable[..., Any], engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.landing.target.FILL_FROM_BYTES", 1)
    query = "select tablename, indexdef from pg_indexes where schemaname = 'marketing' order by 1, 2"
    before = fetch(engine, query)
    drop(settings, "events/2017-11-30/a.csv", csv(purchase("e1")))
    load()
    assert fetch(engine, query) == before
    assert fetch(engine, "select reltuples from pg_class where oid = 'marketing.events'::regclass") == [(1.0,)]


def test_two_runs_at_once_load_a_file_once(engine: Engine, settings: Settings) -> None:
    for number in range(6):
        drop(settings, f"events/2017-11-30/{number}.csv", csv(*(purchase(f"e{number}-{row}") for row in range(200))))
    summaries: list[Any] = []

    def run() -> None:
        summaries.append(load_landing_files(engine, settings, business_date=DAY))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(column) for column in zip(*((s.files_loaded, s.files_unchanged) for s in summaries), strict=True)] == [
        6,
        12,
    ]
    assert len(prices(engine)) == 1200

"""Landing files in object storage: a real S3 server, and nothing but the URL and the usual AWS variables to set."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, text

from include.landing import LandingFileError, export_sources, load_landing_files
from include.settings import Settings

DAY = date(2026, 1, 31)
BUCKET = "shop"
CUSTOMERS = "exports/customers/2026-01-31/customers.csv"
ITEMS = "exports/items/2026-01-31/items.jsonl"
EVENTS = "exports/events/2026-01-31/events.csv.gz"
HEADER = "event_id,event_type,customer_id,occurred_at,item_id\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.filesystem("s3").clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def put_events(bucket: Any, *rows: str) -> None:
    bucket.put_object(Bucket=BUCKET, Key=EVENTS, Body=gzip.compress((HEADER + "\n".join(rows) + "\n").encode()))


def events(engine: Engine) -> set[tuple[str, str]]:
    with engine.connect() as connection:
        return {(row.event_id, row.item_id) for row in connection.execute(text("select * from marketing.events"))}


def test_objects_are_loaded_once_and_a_changed_one_replaces_its_rows(
    bucket: Any, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(landing=f"s3://{BUCKET}/exports")
    bucket.put_object(Bucket=BUCKET, Key=CUSTOMERS, Body=b"customer_id,email\nana,ana@example.com\n")
    bucket.put_object(Bucket=BUCKET, Key=ITEMS, Body=b'{"item_id": "i1"}\n\n{"item_id": "i2"}\n')
    put_events(
        bucket, "e1,view,ana,2026-01-31T10:00:00Z,i1", "e2,view,ana,2026-01-31T11:00:00Z,i2", "e3,view,ana,soon,i3"
    )

    first = load_landing_files(engine, settings, business_date=DAY)
    again = load_landing_files(engine, settings, business_date=DAY)
    put_events(bucket, "e1,view,ana,2026-01-31T10:00:00Z,i9")
    changed = load_landing_files(engine, settings, business_date=DAY)

    assert (first.files_loaded, first.rows_accepted, first.rows_quarantined) == (3, 5, 1)
    assert (again.files_loaded, again.files_unchanged) == (0, 3)
    assert (changed.files_loaded, changed.files_unchanged) == (1, 2)
    assert events(engine) == {("e1", "i9")}


def test_a_truncated_object_is_refused_and_named_and_its_former_rows_stay(
    bucket: Any, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(landing=f"s3://{BUCKET}/exports")
    put_events(bucket, "e1,view,ana,2026-01-31T10:00:00Z,i1")
    load_landing_files(engine, settings, business_date=DAY)
    whole = bucket.get_object(Bucket=BUCKET, Key=EVENTS)["Body"].read()
    bucket.put_object(Bucket=BUCKET, Key=EVENTS, Body=whole[:-12])

    with pytest.raises(LandingFileError, match=r"events/2026-01-31/events\.csv\.gz"):
        load_landing_files(engine, settings, business_date=DAY)

    assert events(engine) == {("e1", "i1")}


def test_a_bucket_that_does_not_exist_says_so(
    bucket: Any, engine: Engine, make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    load_landing_files(engine, make_settings(landing="s3://elsewhere/exports"), business_date=DAY)

    assert "Landing folder s3://elsewhere/exports does not exist (LAMPLIGHTER_LANDING)" in caplog.text


def test_a_source_is_exported_to_objects_once_a_night(
    bucket: Any, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    columns = {"event_id": "id", "event_type": "kind", "customer_id": "who", "occurred_at": "at", "item_id": "item"}
    source = {"table": "events", "relation": "public.lines", "columns": columns, "watermark": "at"}
    settings = make_settings(landing=f"s3://{BUCKET}/sources", sources=[source], business_time_zone="UTC")
    with engine.begin() as connection:
        connection.execute(text("create table lines (id int, kind text, who text, at timestamptz, item text)"))

    def night(day: date, seen: str, item: str) -> tuple[int, int]:
        with engine.begin() as connection:
            row = {"seen": seen, "item": item}
            connection.execute(text("insert into lines values (:item, 'view', 'ana', :seen, 'i' || :item)"), row)
        export_sources(engine, settings, business_date=day)
        summary = load_landing_files(engine, settings, business_date=day)
        return summary.files_loaded, summary.files_unchanged

    assert night(date(2026, 1, 30), "2026-01-30T10:00:00Z", "1") == (1, 0)
    assert night(DAY, "2026-01-31T10:00:00Z", "2") == (1, 1)
    assert night(DAY, "2026-02-01T10:00:00Z", "3") == (0, 2)
    assert events(engine) == {("1", "i1"), ("2", "i2")}
    keys = [found["Key"] for found in bucket.list_objects_v2(Bucket=BUCKET, Prefix="sources/")["Contents"]]
    assert keys == [f"sources/events/2026-01-{day}/source-public.lines.csv" for day in (30, 31)]

"""Landing from S3, against a local server of its protocol: the URL and Amazon's own variables are all it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

import pytest
import s3fs
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, text

from include.landing import load_landing_files
from include.settings import Settings

DAY = date(2017, 11, 30)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("shop")
    yield "shop"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_objects_are_loaded_once_and_a_changed_one_replaces_its_rows(
    bucket: str, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(landing=f"s3://{bucket}/landing")
    name = f"{bucket}/landing/items/2017-11-30/a.csv"

    def put(*rows: str) -> None:
        # Another client than the reader's, as an export is.
        s3fs.S3FileSystem(skip_instance_cache=True).pipe(name, "\n".join(("item_id,price", *rows)).encode())

    def prices() -> dict[str, Decimal]:
        with engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(text("select item_id, price from marketing.items"))}

    def files_loaded() -> int:
        return load_landing_files(engine, settings, business_date=DAY).files_loaded

    put("i1,1", "i2,2")
    assert (files_loaded(), files_loaded()) == (1, 0)
    assert prices() == {"i1": 1, "i2": 2}
    put("i1,3", "i3,4")
    assert (files_loaded(), files_loaded()) == (1, 0)
    assert prices() == {"i1": 3, "i3": 4}
    with engine.connect() as connection:
        assert connection.execute(text("select file from marketing.landing_files")).scalar_one() == (
            "items/2017-11-30/a.csv"
        )

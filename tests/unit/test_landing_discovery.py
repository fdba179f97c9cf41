"""Which files count as landing files, on a local folder and on another fsspec filesystem."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import fsspec
import pytest

from include.db.tables import LANDING_TABLES
from include.landing.discovery import find_landing_files, sha256_of
from include.landing.rules import RULES

DAY = date(2017, 11, 30)


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def test_files_come_in_the_order_of_tables_then_date_then_path(tmp_path: Path) -> None:
    paths = [
        "customers/2017-11-30/a.csv",
        "items/2017-11-29/z.parquet",
        "items/2017-11-30/B.jsonl",
        "items/2017-11-30/a.csv.gz",
        "events/2017-01-01/history.jsonl.gz",
    ]
    write(tmp_path, *reversed(paths))
    assert [file.path for file in find_landing_files(str(tmp_path), DAY, tuple(LANDING_TABLES))] == paths


def test_later_dates_and_other_tables_wait(tmp_path: Path) -> None:
    write(tmp_path, "events/2017-12-01/a.csv", "events/2017-11-30/a.csv", "items/2017-11-30/a.csv")
    assert [file.path for file in find_landing_files(str(tmp_path), DAY, ("events",))] == ["events/2017-11-30/a.csv"]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("orders/2017-11-30/a.csv", "'orders'"),
        ("events/30.11.2017/a.csv", "'events/30.11.2017'"),
        ("events/2017-13-01/a.csv", "'events/2017-13-01'"),
        ("events/a.csv", "'events/a.csv'"),
        ("events/2017-11-30/deep/a.csv", "'events/2017-11-30/deep'"),
        ("events/2017-11-30/a.xlsx", "'events/2017-11-30/a.xlsx'"),
        ("stray.csv", "'stray.csv'"),
    ],
)
def test_what_does_not_follow_the_layout_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, named: str
) -> None:
    write(tmp_path, path, "events/2017-11-30/ok.csv")
    with caplog.at_level(logging.WARNING):
        files = find_landing_files(str(tmp_path), DAY, tuple(LANDING_TABLES))
    assert [file.path for file in files] == ["events/2017-11-30/ok.csv"]
    assert len(caplog.messages) == 1
    assert named in caplog.messages[0]


def test_markers_are_passed_over_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "events/2017-11-30/_SUCCESS", "events/2017-11-30/.part.csv")
    assert find_landing_files(str(tmp_path), DAY, tuple(LANDING_TABLES)) == []
    assert caplog.messages == []


def test_a_missing_root_is_named_with_its_setting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_landing_files(str(tmp_path / "nowhere"), DAY, tuple(LANDING_TABLES)) == []
    assert "LAMPLIGHTER_LANDING" in caplog.text


def test_any_fsspec_url_will_do() -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/shop/landing/events/2017-11-30/a.csv", b"event_id\n")
    (file,) = find_landing_files("memory://shop/landing", DAY, ("events",))
    filesystem.rm("/shop", recursive=True)
    assert (file.path, file.size_bytes) == ("events/2017-11-30/a.csv", 9)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    write(tmp_path, "events/2017-11-30/a.csv")
    (file,) = find_landing_files(str(tmp_path), DAY, ("events",))
    assert sha256_of(file) == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.mark.parametrize("name", list(LANDING_TABLES))
def test_the_rules_cover_every_column_of_the_table(name: str) -> None:
    rules = RULES[name]
    filled_elsewhere = {"file_id", "row_number", "is_machine", "address_hash"} | {column for column, _ in rules.derived}
    assert set(rules.column_names) == set(LANDING_TABLES[name].c.keys()) - filled_elsewhere
    keys = {column.name for column in LANDING_TABLES[name].primary_key}
    assert keys <= set(rules.required) | {column for column, _ in rules.derived}

"""The embedded server: real, kept between starts, gone when stopped, back after a crash."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from include.db import server


def run(url: str, statement: str) -> object:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        value = result.scalar() if result.returns_rows else None
    engine.dispose()
    return value


@pytest.fixture
def data_directory(tmp_path: Path):
    yield tmp_path / "postgres"
    server.stop(tmp_path / "postgres")


def test_data_outlive_a_stop_and_a_crash(data_directory: Path) -> None:
    server.start(data_directory)
    url = server.ensure_database(data_directory, "shop")
    run(url, "create table kept as select 42 as answer")

    server.stop(data_directory)
    assert not server.is_running(data_directory)
    server.start(data_directory)
    assert run(server.ensure_database(data_directory, "shop"), "select answer from kept") == 42

    postmaster = int((data_directory / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)
    while psutil.pid_exists(postmaster) and psutil.Process(postmaster).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    server.start(data_directory)
    assert run(server.ensure_database(data_directory, "shop"), "select answer from kept") == 42


def test_a_process_number_taken_over_by_another_program(data_directory: Path) -> None:
    server.start(data_directory)
    server.stop(data_directory)
    (data_directory / "postmaster.pid").write_text(
        "\n".join([str(os.getpid()), str(data_directory), "0", "5432", str(data_directory), "", "0", "ready"])
    )
    assert not server.is_running(data_directory)
    server.start(data_directory)
    assert server.is_running(data_directory)


def test_starting_twice_is_one_server(data_directory: Path) -> None:
    server.start(data_directory)
    first = (data_directory / "postmaster.pid").read_text().splitlines()[0]
    server.start(data_directory)
    assert (data_directory / "postmaster.pid").read_text().splitlines()[0] == first


def test_it_listens_on_no_network_address_and_has_our_settings(data_directory: Path) -> None:
    server.start(data_directory)
    url = server.ensure_database(data_directory, "shop")
    assert run(url, "show listen_addresses") == ""
    assert run(url, "show max_connections") == server.SERVER_SETTINGS["max_connections"]
    assert int(str(run(url, "show server_version_num"))) >= 160000


def test_stopping_what_does_not_run_is_harmless(tmp_path: Path) -> None:
    server.stop(tmp_path / "nothing")

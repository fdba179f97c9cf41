"""Advisory locks by name: two runs that would disturb each other wait for one another.

Postgres locks a number, here the hash of a name. A name is ``lamplighter.<room>``, with more behind it where a room has
several locks, so that no room waits for another by accident.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select


def lock(connection: Connection, name: str) -> None:
    """Wait for the lock of ``name`` and hold it until the connection's transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def lock_session(connection: Connection, name: str) -> None:
    """Wait for the lock of ``name`` and hold it until the connection's session ends, over all its transactions."""
    connection.execute(select(func.pg_advisory_lock(func.hashtextextended(name, 0))))

"""A lock keeps out who asks for the same name, and nobody else."""

from __future__ import annotations

import pytest
from psycopg2 import errors
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from include.db.locks import lock, lock_session


def is_free(engine: Engine, name: str) -> bool:
    """Whether ``lock`` would not have to wait."""
    with engine.connect() as connection:
        connection.execute(text("set lock_timeout = '50ms'"))
        try:
            lock(connection, name)
        except OperationalError as error:
            if isinstance(error.orig, errors.LockNotAvailable):
                return False
            raise
        finally:
            connection.invalidate()
        return True


def test_a_lock_lasts_as_long_as_the_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        lock(connection, "lamplighter.landing")
        assert not is_free(engine, "lamplighter.landing")
        assert is_free(engine, "lamplighter.scheduling")
        connection.commit()
        assert is_free(engine, "lamplighter.landing")


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_sessions_lock_outlasts_its_transactions(engine: Engine, end: str) -> None:
    with engine.connect() as connection:
        lock_session(connection, "lamplighter.delivery.worker.one")
        getattr(connection, end)()
        assert not is_free(engine, "lamplighter.delivery.worker.one")
        assert is_free(engine, "lamplighter.delivery.worker.two")
        connection.invalidate()

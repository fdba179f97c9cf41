"""Errors of the database end in logs, so they must not quote what may be an address."""

from __future__ import annotations

import io
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import psycopg2
import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import DBAPIError

from include.db import tables
from include.db.copy import copy_in
from include.db.engine import make_engine
from include.settings import Settings

EMAIL = "ada@example.com"
CUSTOMER = {"customer_id": "c1", "email": EMAIL, "file_id": 1, "row_number": 1}


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    engine = make_engine(settings, statement_timeout_seconds=1)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def without_an_id(connection: Connection) -> None:
    connection.execute(insert(tables.customers), CUSTOMER | {"customer_id": None})


def twice(connection: Connection) -> None:
    connection.execute(insert(tables.customers), CUSTOMER | {"customer_id": EMAIL})
    connection.execute(insert(tables.customers), CUSTOMER | {"customer_id": EMAIL})


def several_without_an_id(connection: Connection) -> None:
    connection.execute(insert(tables.customers), [CUSTOMER, CUSTOMER | {"customer_id": None}])


def read_as_a_number(connection: Connection) -> None:
    connection.execute(text("select cast(:email as integer)"), {"email": EMAIL})


def in_a_statement_that_is_wrong(connection: Connection) -> None:
    connection.execute(text("select cast(:email as text) from marketing.nothing"), {"email": EMAIL})


def copied_without_an_id(connection: Connection) -> None:
    copy_in(connection, tables.customers, pd.DataFrame([CUSTOMER | {"customer_id": None}]))


@pytest.mark.parametrize(
    ("fail", "says"),
    [
        (without_an_id, 'null value in column "customer_id" of relation "customers" violates not-null constraint'),
        (several_without_an_id, 'null value in column "customer_id"'),
        (twice, 'duplicate key value violates unique constraint "customers_pkey"'),
        (read_as_a_number, "invalid input syntax for type integer"),
        (in_a_statement_that_is_wrong, 'relation "marketing.nothing" does not exist'),
        (copied_without_an_id, 'null value in column "customer_id"'),
    ],
)
def test_an_error_says_what_is_wrong_and_not_with_whose_data(
    connection: Connection, fail: Callable[[Connection], None], says: str
) -> None:
    with pytest.raises((DBAPIError, psycopg2.Error)) as caught:
        fail(connection)
    logged = "".join(traceback.format_exception(caught.value))
    assert says in logged
    assert EMAIL not in logged


def test_a_copy_that_runs_out_of_time_does_not_show_the_row_it_had_reached(connection: Connection) -> None:
    class Slow(io.BytesIO):
        rows = 15

        def read(self, size: int | None = -1) -> bytes:
            time.sleep(0.1)
            self.rows -= 1
            return f"{EMAIL},1\n".encode() if self.rows else b""

    connection.execute(text("create temporary table slow (email text, n integer)"))
    driver: Any = connection.connection.driver_connection
    with pytest.raises(psycopg2.errors.QueryCanceled) as caught, driver.cursor() as cursor:
        cursor.copy_expert("copy slow from stdin with (format csv)", Slow())
    assert str(caught.value) == "canceling statement due to statement timeout"


def test_advice_that_names_no_data_is_kept(connection: Connection) -> None:
    with pytest.raises(DBAPIError, match=r'HINT:  Perhaps you meant to reference the column "customers.email"'):
        connection.execute(text("select emial from marketing.customers"))
    connection.rollback()
    connection.execute(text("create temporary table parent (id integer primary key)"))
    connection.execute(text("create temporary table child (id integer references parent)"))
    with pytest.raises(DBAPIError, match="DETAIL:  constraint child_id_fkey on table child depends on table parent"):
        connection.execute(text("drop table parent"))


def test_what_is_right_works_as_ever(connection: Connection) -> None:
    connection.execute(insert(tables.customers), [CUSTOMER, CUSTOMER | {"customer_id": "c2"}])
    assert connection.execute(select(tables.customers.c.email)).scalars().all() == [EMAIL, EMAIL]
    assert connection.execute(text("show timezone")).scalar_one() == "UTC"

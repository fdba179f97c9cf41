"""Seeded defects of many kinds in a shop with ten weeks of history, and thirty clean days with weeks and holidays."""
# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from quality_shop import check
from sqlalchemy import Connection, Engine, create_engine, text

from include.db import server
from include.quality import QualityGateFailed
from include.settings import Settings

DAY = date(2024, 3, 14)  # a Thursday
WEEKS = 10
USUAL = 400
PEAK, QUIET = date(2024, 3, 5), date(2024, 2, 26)

HISTORY = """
insert into marketing.events
    (event_id, event_type, customer_id, occurred_at, item_id, quantity, unit_price, order_id, file_id, row_number)
select
    'e' || days.day || '-' || n,
    (array['view', 'view', 'view', 'click', 'add_to_cart', 'purchase', 'purchase', 'return'])[1 + n % 8],
    'c' || (n / 8) % 200,
    cast(days.day as timestamp) at time zone 'UTC' + (n * 97 % 86400) * interval '1 second',
    'i' || (n / 8) % 50,
    case when n % 8 in (5, 6) then 1 end,
    case when n % 8 in (5, 6) then 10 * exp(0.5 * sin(n + days.number)) end,
    case when n % 8 in (5, 6) then 'o' || days.day || '-' || n end,
    100 + days.number,
    n
from unnest(cast(:days as date[]), cast(:counts as int[])) with ordinality as days (day, events, number)
cross join lateral generate_series(1, days.events) as n
"""


def volume(day: date) -> int:
    """Busier at weekends, with a wave of its own, a holiday's peak and a quiet one."""
    factor = (1.0, 0.9, 0.95, 1.0, 1.2, 1.6, 1.4)[day.weekday()] * (1 + 0.15 * ((day.toordinal() * 37) % 11 - 5) / 5)
    return int(USUAL * factor * {PEAK: 2.5, QUIET: 0.4}.get(day, 1.0))


def run(connection: Connection, statement: str, **values: object) -> None:
    connection.execute(text(statement), values)


def fill(engine: Engine) -> None:
    days = [DAY - timedelta(days=back) for back in range(7 * WEEKS, -1, -1)]
    with engine.begin() as connection:
        run(
            connection,
            "insert into marketing.customers (customer_id, email, time_zone, created_at, file_id, row_number)"
            " select 'c' || n, 'c' || n || '@shop.example', 'Europe/Berlin', '2020-01-01Z', 1, n"
            " from generate_series(0, 199) as n",
        )
        run(
            connection,
            "insert into marketing.items (item_id, title, category, price, currency, file_id, row_number)"
            " select 'i' || n, 'Item ' || n, 'kind ' || n % 2, 10, 'USD', 2, n from generate_series(0, 49) as n",
        )
        run(connection, HISTORY, days=days, counts=[volume(day) for day in days])
        run(
            connection,
            "insert into marketing.landing_files (file_id, table_name, business_date, file, sha256, size_bytes,"
            " rows_accepted, rows_quarantined) overriding system value"
            " select file_id, 'events', min(cast(occurred_at as date)), 'events/' || file_id, '', 0, count(*), 0"
            " from marketing.events group by file_id",
        )


@pytest.fixture(scope="module")
def template(postgres: Path) -> str:
    """Name of a database with the shop, whose nights up to the day before have passed."""
    administration = create_engine(server.ensure_database(postgres, "postgres"), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("create database defects template template"))
    url = server.ensure_database(postgres, "defects")
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    fill(engine)
    check(engine, settings_of(engine), DAY - timedelta(days=1))
    engine.dispose()
    return "defects"


@pytest.fixture
def shop(postgres: Path, template: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    name = "defect_" + re.sub(r"\W", "_", request.node.name)[-40:].lower()
    administration = create_engine(server.ensure_database(postgres, "postgres"), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f'create database "{name}" template {template}'))
    engine = create_engine(server.ensure_database(postgres, name), connect_args={"options": "-c timezone=UTC"})
    yield engine
    engine.dispose()
    with administration.connect() as connection:
        connection.execute(text(f'drop database "{name}" with (force)'))
    administration.dispose()


def settings_of(engine: Engine) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings(database_url=url, artifacts="memory://artifacts", business_time_zone="UTC")


TODAY = "file_id = (select max(file_id) from marketing.events)"
PURCHASES = f"{TODAY} and event_type = 'purchase'"
COPY = (
    "insert into marketing.events select 'again' || event_id, event_type, customer_id, occurred_at, item_id, quantity,"
    f" unit_price, query, order_id, message_id, properties, file_id, row_number + 10000 from marketing.events where {TODAY}"
)

CRITICAL = {
    "no events": (f"delete from marketing.events where {TODAY}", "events_on_date"),
    "a collapse": (f"delete from marketing.events where {TODAY} and row_number > 25", "volume_against_usual"),
    "no customers": ("delete from marketing.customers", "rows"),
    "no items": ("delete from marketing.items", "rows"),
    "strange customers": (f"update marketing.events set customer_id = 'x' || customer_id where {TODAY}", "customer_known"),
    "strange items": (f"update marketing.events set item_id = 'x' || item_id where {TODAY}", "item_known"),
    "sent twice": (COPY, "duplicate_share"),
    "no purchases": (f"delete from marketing.events where {PURCHASES}", "purchases_against_usual"),
    "one type only": (f"update marketing.events set event_type = 'click', quantity = null where {TODAY}", "type_distance"),
    "prices in cents": (f"update marketing.events set unit_price = unit_price * 100 where {PURCHASES}", "price_outlier_share"),
    "prices of zero": (f"update marketing.events set unit_price = 0 where {PURCHASES}", "more_missing_prices"),
    "prices gone": (f"update marketing.events set unit_price = null where {PURCHASES}", "more_missing_prices"),
    "items gone": (f"update marketing.events set item_id = null where {TODAY}", "more_missing_items"),
    "wild quantities": (f"update marketing.events set quantity = 5000 where {PURCHASES}", "quantity_outlier_share"),
    "a negative price": (f"update marketing.events set unit_price = -1 where {PURCHASES} and row_number < 20", "unit_price"),
    "a NaN price": (f"update marketing.events set unit_price = 'NaN' where {PURCHASES} and row_number < 20", "unit_price"),
    "a NaN quantity": (f"update marketing.events set quantity = 'NaN' where {PURCHASES} and row_number < 20", "purchase_quantity"),
    "seconds read as milliseconds": (
        f"update marketing.events set occurred_at = '1970-01-20Z' where {TODAY} and row_number > 200",
        "ancient_share",
    ),
    "milliseconds read as seconds": (
        f"update marketing.events set occurred_at = '9999-01-01Z' where {TODAY} and row_number > 200",
        "far_future_share",
    ),
    "emails garbled": ("update marketing.customers set email = md5(email)", "bad_email_share"),
    "zones garbled": ("update marketing.customers set time_zone = 'UTC+' || row_number", "unknown_zone_share"),
    "items of no price": ("update marketing.items set price = 0 where row_number < 40", "bad_price_share"),
    "a column of another type": ("alter table marketing.items alter title type varchar(80)", "schema"),
    "a column gone": ("alter table marketing.campaigns drop audience", "schema"),
    "a column that may be empty": ("alter table marketing.events alter customer_id drop not null", "schema"),
}  # fmt: skip

REPORTED = {
    "a few repeats": (f"{COPY} and row_number <= 5", "duplicate", 5),
    "repeats of two lines of one basket": (
        f"update marketing.events set customer_id = 'c1', occurred_at = '2024-03-14T10:00Z' where {TODAY} and row_number in (3, 6); "
        f"{COPY} and row_number in (3, 6)",
        "duplicate",
        2,
    ),
    "one price slipped": (f"update marketing.events set unit_price = 99999 where {PURCHASES} and row_number < 9", "price_outlier", 2),
    "one quantity slipped": (f"update marketing.events set quantity = 9000 where {PURCHASES} and row_number < 9", "quantity_outlier", 2),
    "a few ancient": (f"update marketing.events set occurred_at = '1970-01-01Z' where {TODAY} and row_number < 4", "ancient", 3),
    "returns of what was never bought": (
        f"update marketing.events set customer_id = 'c199', item_id = 'i0' where {TODAY} and event_type = 'return' and row_number < 30",
        "return_without_purchase",
        3,
    ),
    "customers created after buying": (
        "update marketing.customers set created_at = '2024-03-20Z' where customer_id = 'c1'", "created_later", 1,
    ),
    "a zone unknown": ("update marketing.customers set time_zone = 'Mars/Base' where customer_id = 'c1'", "time_zone", 1),
    "a foreign currency": ("update marketing.items set currency = 'YEN' where item_id = 'i1'", "foreign_currency", 1),
    "a type vanished": (f"delete from marketing.events where {TODAY} and event_type = 'click'", "vanished_types", 0),
    "consent of a stranger": (
        "insert into marketing.consents values ('stranger', 'email', '2024-03-14Z', true, null, '{}', 1, 1)",
        "unknown_customer",
        1,
    ),
    "an impossible campaign": (
        "insert into marketing.campaigns (campaign_id, name, channels, starts_on, ends_on, audience, file_id, row_number)"
        " values ('k', 'K', '{email}', '2024-01-01', '2024-12-31', '{nobody}', 1, 1)",
        "unknown_segment",
        1,
    ),
    "a filter that names no column": (
        "insert into marketing.campaigns (campaign_id, name, channels, starts_on, ends_on, audience_filter, file_id, row_number)"
        " values ('k', 'K', '{email}', '2024-01-01', '2024-12-31', 'recencyy > 3', 1, 1),"
        " ('l', 'L', '{email}', '2024-01-01', '2024-12-31', 'recency > 3', 1, 1),"
        " ('m', 'M', '{email}', '2024-01-01', '2024-12-31', ' ', 1, 1)",
        "unclear_filter",
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", CRITICAL)
def test_a_critical_defect_stops_the_run_with_one_line(shop: Engine, defect: str) -> None:
    statement, column = CRITICAL[defect]
    with shop.begin() as connection:
        run(connection, statement)
    with pytest.raises(QualityGateFailed) as caught:
        check(shop, settings_of(shop), DAY)
    assert "\n" not in str(caught.value)
    with shop.connect() as connection:
        stopping = connection.execute(
            text(
                "select column_name, message from marketing.quality_results"
                " where business_date = :day and not success and severity = 'critical'"
            ),
            {"day": DAY},
        ).all()
    [message] = [row.message for row in stopping if row.column_name == column]
    assert message in str(caught.value) or len(stopping) > 4


@pytest.mark.parametrize("defect", REPORTED)
def test_a_lesser_defect_is_reported_counted_and_kept_in_full(shop: Engine, defect: str) -> None:
    statement, column, count = REPORTED[defect]
    with shop.begin() as connection:
        run(connection, statement)
    assert check(shop, settings_of(shop), DAY).warnings >= 1
    with shop.connect() as connection:
        found = connection.execute(
            text(
                "select unexpected_count from marketing.quality_results"
                " where business_date = :day and column_name = :column and not success and severity = 'warning'"
            ),
            {"day": DAY, "column": column},
        ).scalar_one()
        rows = connection.execute(
            text("select count(*) from marketing.quality_failures where business_date = :day and rule = :rule"),
            {"day": DAY, "rule": column},
        ).scalar_one()
        excluded = connection.execute(text("select count(*) from marketing.excluded_events")).scalar_one()
    assert found == count
    assert rows == (0 if column in ("vanished_types", "time_zone") else count)
    assert excluded == (count if column in ("duplicate", "price_outlier", "quantity_outlier", "ancient") else 0)


def test_a_replaced_row_is_no_longer_set_aside(shop: Engine) -> None:
    with shop.begin() as connection:
        run(connection, REPORTED["one price slipped"][0])
    check(shop, settings_of(shop), DAY)
    with shop.begin() as connection:
        run(connection, "update marketing.events set unit_price = 10, file_id = 999 where unit_price = 99999")
        assert connection.execute(text("select count(*) from marketing.excluded_events")).scalar_one() == 0


def test_thirty_clean_days_with_weeks_and_holidays_never_stop_nor_warn_of_rows(shop: Engine) -> None:
    with shop.begin() as connection:
        run(connection, "truncate marketing.quality_results")
    settings = settings_of(shop)
    for back in range(29, -1, -1):
        check(shop, settings, DAY - timedelta(days=back))
    with shop.connect() as connection:
        warned = connection.execute(
            text(
                "select distinct column_name from marketing.quality_results where not success and severity = 'warning'"
            )
        ).scalars()
        assert set(warned) <= {"volume_ratio", "return_without_purchase"}

"""Rows that break the contract: each to quarantine with its reason, none lost, none twice."""

from __future__ import annotations

import csv as csv_module
import io
import json
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from include.db.tables import LANDING_TABLES
from include.landing import load_landing_files
from include.settings import Settings

DAY = date(2017, 11, 30)
AT = "2017-11-30T18:05:00-05:00"
GOOD: dict[str, dict[str, Any]] = {
    "customers": {"customer_id": "c"},
    "items": {"item_id": "i"},
    "events": {"event_id": "e", "event_type": "view", "customer_id": "c", "occurred_at": AT},
    "consents": {"customer_id": "c", "channel": "email", "granted": "true", "occurred_at": AT},
    "campaigns": {
        "campaign_id": "k",
        "name": "n",
        "channels": "email",
        "starts_on": "2017-12-01",
        "ends_on": "2017-12-31",
    },
    "message_history": {"campaign_id": "k", "customer_id": "c", "channel": "email", "arm": "treated", "sent_at": AT},
    "engagements": {"message_id": "m", "engagement_type": "open", "occurred_at": AT},
}
INSTANT = "is not an instant with an offset, such as 2017-11-30T18:05:00-05:00"


def load_rows(engine: Engine, settings: Settings, table: str, rows: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    """Loads the rows as JSON lines; (row number, reason, row) of the quarantined."""
    file = Path(settings.landing) / table / "2017-11-30" / "rows.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(map(json.dumps, rows)))
    summary = load_landing_files(engine, settings, business_date=DAY)
    with engine.connect() as connection:
        refused = connection.execute(
            text("select row_number, reason, row from marketing.quarantined_rows order by row_number")
        ).all()
        kept = connection.execute(text(f"select count(*) from marketing.{table}")).scalar_one()
    assert summary.rows_accepted == kept
    assert summary.rows_quarantined == len(refused)
    assert kept + len(refused) == len(rows)
    return [tuple(row) for row in refused]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("customers", {"customer_id": ""}, "customer_id is missing"),
    ("customers", {"customer_id": "  "}, "customer_id is missing"),
    ("customers", {"time_zone": "EST5PDT9"}, "time_zone 'EST5PDT9' is not an IANA time zone"),
    ("customers", {"created_at": "2017-11-30"}, f"created_at '2017-11-30' {INSTANT}"),
    ("items", {"price": "1,5"}, "price '1,5' is not an amount of 0 or more"),
    ("items", {"price": -1}, "price '-1' is not an amount"),
    ("items", {"price": "1e11"}, "price '1e11' is not an amount"),
    ("items", {"margin_rate": 30}, "margin_rate '30' is not a share between 0 and 1"),
    ("items", {"in_stock": "perhaps"}, "in_stock 'perhaps' is neither true nor false"),
    ("events", {"event_id": None}, "event_id is missing"),
    ("events", {"event_type": "Purchase"}, "event_type 'Purchase' is none of view, search"),
    ("events", {"occurred_at": "2017-13-01"}, f"occurred_at '2017-13-01' {INSTANT}"),
    ("events", {"occurred_at": "2017-11-30T18:05:00"}, f"occurred_at '2017-11-30T18:05:00' {INSTANT}"),
    ("events", {"occurred_at": "2017-11-31T18:05:00Z"}, INSTANT),
    ("events", {"occurred_at": "2017-11-30 18:05:00 America/New_York"}, INSTANT),
    ("events", {"occurred_at": "1512083100"}, INSTANT),
    ("events", {"occurred_at": "now"}, INSTANT),
    ("events", {"quantity": "NaN"}, "quantity 'NaN' is not a finite number"),
    ("events", {"quantity": "Infinity"}, "quantity 'Infinity' is not a finite number"),
    ("events", {"quantity": "1e999"}, "is not a finite number"),
    ("events", {"quantity": "0x1F"}, "is not a finite number"),
    ("events", {"quantity": "1_000"}, "is not a finite number"),
    (
        "events",
        {"quantity": 10_000_000, "unit_price": 1},
        "quantity '10000000' is not a finite number between -100,000",
    ),
    ("events", {"quantity": "-100000"}, "quantity '-100000' is not a finite number between -100,000 and 100,000"),
    ("events", {"unit_price": 100_000_000}, "unit_price '100000000' is not an amount of 0 or more and below 100,000"),
    (
        "events",
        {"quantity": "-1e4", "unit_price": 100_000},
        "quantity -1e4 times unit_price 100000 is a billion or more",
    ),
    ("events", {"quantity": "two"}, "quantity 'two' is not a finite number"),
    ("events", {"unit_price": "-0.01"}, "unit_price '-0.01' is not an amount of 0 or more"),
    ("events", {"event_type": "purchase", "quantity": 0}, "a purchase needs a quantity above 0, not 0"),
    ("events", {"event_type": "purchase", "quantity": "0.00e5"}, "a purchase needs a quantity above 0"),
    ("events", {"event_type": "purchase", "quantity": -2}, "a purchase needs a quantity above 0, not -2"),
    ("events", {"event_type": "purchase"}, "a purchase needs a quantity above 0, not none"),
    ("consents", {"channel": "sms"}, "channel 'sms' is none of email, app_push"),
    ("consents", {"granted": "2"}, "granted '2' is neither true nor false"),
    ("campaigns", {"channels": "email|fax"}, "channels 'email|fax' is not a list of email and app_push"),
    ("campaigns", {"channels": []}, "is not a list of email and app_push"),
    ("campaigns", {"channels": "[email"}, "is not a list of email and app_push"),
    ("campaigns", {"channels": "[1]"}, "is not a list of email and app_push"),
    ("campaigns", {"starts_on": "01.12.2017"}, "starts_on '01.12.2017' is not a date, such as 2017-11-30"),
    ("campaigns", {"ends_on": "2017-11-01"}, "ends_on 2017-11-01 lies before starts_on 2017-12-01"),
    ("campaigns", {"control_share": 1.5}, "control_share '1.5' is not a share"),
    ("campaigns", {"items_per_message": 99999}, "items_per_message '99999' is not a whole number in range"),
    ("campaigns", {"priority": 1.5}, "priority '1.5' is not a whole number"),
    ("campaigns", {"purpose": "upsell"}, "purpose 'upsell' is none of next_purchase, discovery"),
    ("campaigns", {"trigger": "birthday"}, "trigger 'birthday' is none of welcome, abandoned_cart, lapsed"),
    ("campaigns", {"daily_budget": -1}, "daily_budget '-1' is not an amount of 0 or more"),
    ("campaigns", {"campaign_id": "all"}, "campaign_id 'all' is what reports call all campaigns together; give it"),
    ("message_history", {"campaign_id": "all"}, "campaign_id 'all' is what reports call all campaigns together"),
    ("message_history", {"arm": "b"}, "arm 'b' is none of treated, control"),
    ("message_history", {"cost": "free"}, "cost 'free' is not an amount"),
    ("engagements", {"message_id": None}, "names neither a message_id nor a campaign_id with a customer_id"),
    ("engagements", {"message_id": None, "campaign_id": "k"}, "names neither"),
    ("message_history", {"campaign_id": "é" * 251}, "campaign_id 'éééé"),
    ("engagements", {"message_id": "m" * 501}, "is longer than 500 bytes"),
    ("engagements", {"engagement_type": "glance"}, "engagement_type 'glance' is none of delivered"),
    ("events", {"properties": [1]}, "properties is not a JSON object"),
]
"""Table, what is changed in its good row, and words of the reason."""

UNUSUAL: list[tuple[str, dict[str, Any]]] = [
    ("events", {"occurred_at": "2017-11-30 23:05Z"}),
    ("events", {"occurred_at": "2017-11-30T23:05:00.123456+0530"}),
    ("events", {"occurred_at": "2017-11-30T23:05:00z"}),
    ("events", {"occurred_at": "2017-11-30T23:05:00-05"}),
    ("events", {"event_type": "purchase", "quantity": "+0.50", "unit_price": "-0.0"}),
    ("events", {"event_type": "return", "quantity": -1, "unit_price": 0}),
    ("items", {"margin_rate": "1e-1", "price": ".5"}),
    ("items", {"in_stock": 1.0}),
    ("items", {"in_stock": "0.0"}),
    ("campaigns", {"priority": "-3.0", "items_per_message": 4.0, "starts_on": "2017-12-01 00:00:00"}),
    ("campaigns", {"audience_filter": 'recency > 3 and "a, b" in devices', "trigger": "lapsed", "daily_budget": "9.5"}),
    ("engagements", {"message_id": None, "campaign_id": "k", "customer_id": "c"}),
    ("events", {"quantity": "99999.9999", "unit_price": "9999", "item_id": "i" * 500}),
    ("events", {"quantity": "9.99", "unit_price": "99999999.9999"}),
]


@pytest.mark.parametrize("table", list(GOOD))
def test_bad_rows_go_to_quarantine_with_their_reason(engine: Engine, settings: Settings, table: str) -> None:
    cases = [(change, reason) for name, change, reason in BAD if name == table]
    refused = load_rows(engine, settings, table, [GOOD[table], *(GOOD[table] | change for change, _ in cases)])
    assert [number for number, _, _ in refused] == list(range(2, len(cases) + 2))
    for (change, expected), (_, reason, _) in zip(cases, refused, strict=True):
        assert expected in reason, change


@pytest.mark.parametrize("table", ["events", "items", "campaigns", "engagements"])
def test_unusual_but_sound_rows_are_accepted(engine: Engine, settings: Settings, table: str) -> None:
    changes = [change for name, change in UNUSUAL if name == table]
    key = {"events": "event_id", "items": "item_id", "campaigns": "campaign_id", "engagements": "url"}[table]
    rows = [GOOD[table] | change | {key: str(number)} for number, change in enumerate(changes)]
    assert load_rows(engine, settings, table, rows) == []


def test_all_reasons_of_a_row_are_named_and_the_row_is_kept_as_json(engine: Engine, settings: Settings) -> None:
    bad = {"event_id": "e", "event_type": "purchase", "occurred_at": "x", "shelf": "top"}
    ((number, reason, row),) = load_rows(engine, settings, "events", [bad])
    assert number == 1
    assert reason == (
        f"customer_id is missing; occurred_at 'x' {INSTANT}; a purchase needs a quantity above 0, not none"
    )
    kept = json.loads(row)
    assert {name: kept[name] for name in ("event_id", "event_type", "occurred_at")} == {
        "event_id": "e",
        "event_type": "purchase",
        "occurred_at": "x",
    }


@pytest.mark.parametrize("table", ["events", "consents", "engagements"])
def test_of_repeated_keys_in_a_file_the_last_counts(engine: Engine, settings: Settings, table: str) -> None:
    same_instant = {"occurred_at": "2017-11-30T23:05:00+00:00"}
    refused = load_rows(engine, settings, table, [GOOD[table], GOOD[table] | same_instant, {"x": 1}, GOOD[table]])
    assert [row[0] for row in refused] == [1, 2, 3]
    assert refused[0][1].endswith("stands again in row 4, which counts")
    with engine.connect() as connection:
        assert connection.execute(text(f"select row_number from marketing.{table}")).scalar_one() == 4


def test_naive_parquet_instants_are_refused_row_by_row(engine: Engine, settings: Settings) -> None:
    file = Path(settings.landing) / "events/2017-11-30/a.parquet"
    file.parent.mkdir(parents=True)
    frame = pd.DataFrame(
        [GOOD["events"] | {"event_id": name, "score": value} for name, value in (("a", 1), ("b", None))]
    )
    frame["occurred_at"] = pd.to_datetime("2017-11-30 23:05:00")
    frame.to_parquet(file)
    summary = load_landing_files(engine, settings, business_date=DAY)
    assert (summary.rows_accepted, summary.rows_quarantined) == (0, 2)
    with engine.connect() as connection:
        reason = connection.execute(text("select distinct reason from marketing.quarantined_rows")).scalar_one()
    assert reason.endswith(INSTANT)


def test_quarantined_rows_name_their_file_and_date(engine: Engine, settings: Settings) -> None:
    load_rows(engine, settings, "events", [{}])
    with engine.connect() as connection:
        row = connection.execute(
            text("select table_name, business_date, file, row from marketing.quarantined_rows")
        ).one()
    assert tuple(row) == ("events", DAY, "events/2017-11-30/rows.jsonl", "{}")


@pytest.mark.parametrize("table", list(GOOD))
def test_an_overlong_id_is_refused_by_name(engine: Engine, settings: Settings, table: str) -> None:
    """What is random does not compress, so it would not fit into an index at all."""
    overlong = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6_000))
    columns = {column.name for column in LANDING_TABLES[table].c} - {"file_id", "engagement_id"}
    ids = sorted(name for name in columns if name.endswith("_id"))
    refused = load_rows(engine, settings, table, [GOOD[table] | {name: overlong} for name in ids])
    assert [reason for _, reason, _ in refused] == [
        f"{name} '{overlong[:80]}' is longer than 500 bytes" for name in ids
    ]


CELLS = st.one_of(
    st.sampled_from(
        ["", "e1", "view", "purchase", "c1", AT, "2017-11-30T23:05:00Z", "2017-02-30T00:00:00Z", "1", "0", "-3", "1e5"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, min_size=1, max_size=7), max_size=12), st.binary(max_size=30))
def test_whatever_a_csv_holds_accepted_and_quarantined_make_its_rows(
    engine: Engine, make_settings: Callable[..., Settings], table: list[list[str]], damage: bytes
) -> None:
    settings = make_settings()
    written = io.StringIO()
    writer = csv_module.writer(written, quoting=csv_module.QUOTE_ALL)
    writer.writerow(["event_id", "event_type", "customer_id", "occurred_at", "quantity", "shelf"])
    writer.writerows(table)
    damaged = damage.translate(None, b'\r\n"')  # what would make it other than one row
    file = Path(settings.landing) / "events/2017-11-30/a.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(written.getvalue().encode() + b"damaged," + damaged + b"\n")
    load_landing_files(engine, settings, business_date=DAY)
    with engine.connect() as connection:
        accepted = connection.execute(text("select row_number from marketing.events")).scalars().all()
        refused = connection.execute(text("select row_number from marketing.quarantined_rows")).scalars().all()
        counts = connection.execute(text("select rows_accepted, rows_quarantined from marketing.landing_files")).one()
    assert sorted([*accepted, *refused]) == list(range(1, len(table) + 2))
    assert tuple(counts) == (len(accepted), len(refused))

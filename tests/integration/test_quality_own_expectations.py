"""Expectations of a settings file: judged like the gate's own, over the same rows, with the same severities."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from quality_shop import DAY, EVENTS, Row, check, customers, events, failed, items, land
from sqlalchemy import Engine, event, text

from include.expectation_catalogue import ARGUMENTS, ROWS_WHERE, judges_rows, known_arguments, required_arguments
from include.quality import QualityGateFailed
from include.settings import PROJECT_ROOT, Settings

CHEAP = {"table": "items", "column": "price", "expectation": "expect_column_values_to_be_between", "min_value": 3}
LARGE = {"table": "events", "expectation": "rows_where", "condition": "quantity > 100 and unit_price = 0"}

# An example of each on events, which a clean day meets.
EXAMPLES: dict[str, dict[str, Any]] = {
    "rows_where": {"condition": "quantity > 100"},
    "expect_column_distinct_values_to_be_in_set": {"column": "event_type", "value_set": ["purchase"]},
    "expect_column_distinct_values_to_contain_set": {"column": "event_type", "value_set": ["purchase"]},
    "expect_column_distinct_values_to_equal_set": {"column": "event_type", "value_set": ["purchase"]},
    "expect_column_max_to_be_between": {"column": "unit_price", "min_value": 0, "max_value": 9},
    "expect_column_mean_to_be_between": {"column": "unit_price", "min_value": 0, "max_value": 9},
    "expect_column_median_to_be_between": {"column": "unit_price", "min_value": 0, "max_value": 9},
    "expect_column_min_to_be_between": {"column": "occurred_at", "min_value": date(2017, 1, 1)},
    "expect_column_most_common_value_to_be_in_set": {"column": "event_type", "value_set": ["purchase"]},
    "expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "unit_price", "column_B": "quantity"},
    "expect_column_pair_values_to_be_equal": {"column_A": "event_type", "column_B": "event_type"},
    "expect_column_pair_values_to_be_in_set": {
        "column_A": "event_type",
        "column_B": "quantity",
        "value_pairs_set": [["purchase", 1]],
    },
    "expect_column_proportion_of_non_null_values_to_be_between": {"column": "item_id", "min_value": 0.5},
    "expect_column_proportion_of_unique_values_to_be_between": {"column": "item_id", "min_value": 0.1},
    "expect_column_stdev_to_be_between": {"column": "unit_price", "min_value": 0, "max_value": 9},
    "expect_column_sum_to_be_between": {"column": "unit_price", "min_value": 0},
    "expect_column_to_exist": {"column": "unit_price"},
    "expect_column_unique_value_count_to_be_between": {"column": "item_id", "min_value": 1},
    "expect_column_value_lengths_to_be_between": {"column": "event_id", "min_value": 1},
    "expect_column_value_lengths_to_equal": {"column": "event_type", "value": 8},
    "expect_column_value_z_scores_to_be_less_than": {"column": "quantity", "threshold": 3, "double_sided": True},
    "expect_column_values_to_be_between": {"column": "unit_price", "min_value": 0.01, "mostly": 0.9},
    "expect_column_values_to_be_in_set": {"column": "event_type", "value_set": ["purchase"]},
    "expect_column_values_to_be_null": {"column": "query"},
    "expect_column_values_to_be_unique": {"column": "event_id"},
    "expect_column_values_to_match_like_pattern": {"column": "event_type", "like_pattern": "p%"},
    "expect_column_values_to_match_like_pattern_list": {"column": "event_type", "like_pattern_list": ["p%"]},
    "expect_column_values_to_match_regex": {"column": "event_type", "regex": "^p"},
    "expect_column_values_to_match_regex_list": {"column": "event_type", "regex_list": ["^p"]},
    "expect_column_values_to_not_be_in_set": {"column": "event_type", "value_set": ["view"]},
    "expect_column_values_to_not_be_null": {"column": "event_type"},
    "expect_column_values_to_not_be_outliers": {"column": "quantity", "method": "iqr", "multiplier": 1.5},
    "expect_column_values_to_not_match_like_pattern": {"column": "event_type", "like_pattern": "x%"},
    "expect_column_values_to_not_match_like_pattern_list": {"column": "event_type", "like_pattern_list": ["x%"]},
    "expect_column_values_to_not_match_regex": {"column": "event_type", "regex": "^x{2}:"},
    "expect_column_values_to_not_match_regex_list": {"column": "event_type", "regex_list": ["^x"]},
    "expect_compound_columns_to_be_unique": {"column_list": ["event_id", "item_id"]},
    "expect_multicolumn_sum_to_equal": {"column_list": ["quantity", "quantity"], "sum_total": 2},
    "expect_multicolumn_values_to_be_equal": {"column_list": ["event_id", "event_id"]},
    "expect_select_column_values_to_be_unique_within_record": {"column_list": ["event_id", "item_id"]},
    "expect_table_column_count_to_be_between": {"min_value": 1},
    "expect_table_column_count_to_equal": {"value": 13},
    "expect_table_columns_to_match_ordered_list": {
        "column_list": [
            *("event_id", "event_type", "customer_id", "occurred_at", "item_id", "quantity", "unit_price", "query"),
            *("order_id", "message_id", "properties", "file_id", "row_number"),
        ]
    },
    "expect_table_columns_to_match_set": {"column_set": ["event_id"], "exact_match": False},
    "expect_table_row_count_to_be_between": {"min_value": 1},
    "expect_table_row_count_to_equal": {"value": EVENTS},
}


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> Engine:
    """A clean day."""
    for table, rows in {"customers": customers(), "items": items(), "events": events()}.items():
        land(engine, settings, table, rows)
    return engine


@pytest.fixture
def expecting(make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with these expectations; those without a severity are warnings."""
    return lambda *expected: make_settings(
        quality={"expectations": [{"severity": "warning"} | one for one in expected]}
    )


def rows_of(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def own_results(engine: Engine, table: str = "events") -> list[tuple[Any, ...]]:
    return rows_of(
        engine,
        "select expectation, column_name, severity, success, unexpected_count, message from marketing.quality_results"
        f" where expectation = lower(expectation) and table_name = '{table}' order by expectation, column_name",
    )


FAILURES = (
    "select table_name, rule, row_key, file_id, row_number, reason, is_set_aside from marketing.quality_failures"
    " order by row_key"
)


def test_a_critical_one_stops_the_run(shop: Engine, expecting: Callable[..., Settings]) -> None:
    with pytest.raises(QualityGateFailed) as caught:
        check(shop, expecting(CHEAP | {"severity": "critical"}))
    says = "items: 10 of 10 values break expect_column_values_to_be_between of price (min_value 3)"
    assert str(caught.value).startswith(f"Quality gate failed for 2017-11-30: {says}; nothing was trained")
    assert own_results(shop, "items") == [("expect_column_values_to_be_between", "price", "critical", False, 10, says)]


def test_a_warning_is_reported_and_an_info_informs(shop: Engine, expecting: Callable[..., Settings]) -> None:
    settings = expecting(CHEAP, CHEAP | {"severity": "info", "name": "dear", "min_value": 1000})
    summary = check(shop, settings)
    assert (summary.warnings, summary.checks - summary.passed) == (1, 2)
    assert [row[1:5] for row in own_results(shop, "items")] == [
        ("dear", "info", False, 10),
        ("price", "warning", False, 10),
    ]
    report = Path(settings.data_docs_page(DAY)).read_text()
    assert "<h2>Expectations of the settings</h2>" in report
    assert "2 checks, 2 failed" in report


def test_what_is_met_passes_and_a_share_may_be_allowed(shop: Engine, expecting: Callable[..., Settings]) -> None:
    land(shop, expecting(), "items", [row | ({"price": 99} if n == 0 else {}) for n, row in enumerate(items())])
    summary = check(
        shop,
        expecting(CHEAP | {"min_value": 0.01}, CHEAP | {"max_value": 9, "min_value": 0, "mostly": 0.9, "name": "most"}),
    )
    assert summary.passed == summary.checks
    assert [row[3:5] for row in own_results(shop, "items")] == [(True, 1), (True, 0)]


def test_rows_where_keeps_the_rows_in_full(shop: Engine, expecting: Callable[..., Settings]) -> None:
    settings = expecting(LARGE)
    free = [row | ({"quantity": 101, "unit_price": 0} if n < 30 else {}) for n, row in enumerate(events())]
    land(shop, settings, "events", free)
    with shop.connect() as connection:
        file_id = connection.execute(text("select max(file_id) from marketing.events")).scalar_one()
    for _ in range(2):
        check(shop, settings)
        assert own_results(shop) == [
            (
                "rows_where",
                "rows_where",
                "warning",
                False,
                30,
                "events: 30 rows where quantity > 100 and unit_price = 0",
            )
        ]
        assert rows_of(shop, FAILURES + " collate \"C\"") == sorted(
            ("events", "rows_where", row["event_id"], file_id, n + 1,
             "is one where quantity > 100 and unit_price = 0", False)
            for n, row in enumerate(free[:30])
        )  # fmt: skip
    land(shop, settings, "events", events())
    check(shop, settings)
    assert rows_of(shop, FAILURES) == []


@pytest.mark.parametrize(
    "condition",
    [
        "event_id like '%{x}%' or query = ':free' or query = 'a :b, c::d' or item_id::text = '1'",
        "event_type = 'nothing' -- or true\n or quantity > 100 -- {batch} :bound",
        "not exists (select from marketing.items join marketing.items as other using (item_id)"
        " where items.item_id = events.item_id)",
        "properties @> '{\"a\": [1]}' or occurred_at > '2018-01-01 00:00:00+00:00'",
        "cast(quantity as integer) % 2 = 0",
    ],
)
def test_any_sql_expression_is_a_condition(shop: Engine, expecting: Callable[..., Settings], condition: str) -> None:
    settings = expecting({"table": "events", "expectation": "rows_where", "condition": condition, "name": "own"})
    check(shop, settings)
    assert [row[1:5] for row in own_results(shop)] == [("own", "warning", True, 0)]
    check(
        shop, expecting({"table": "events", "expectation": "rows_where", "condition": f"not ({condition}\n) is true"})
    )
    assert [row[3:5] for row in own_results(shop)] == [(False, EVENTS)]
    assert len(rows_of(shop, FAILURES)) == EVENTS


def test_they_judge_what_the_gate_judges(shop: Engine, expecting: Callable[..., Settings]) -> None:
    """Events and consents since the last date that passed, the others as they are."""
    settings = expecting(
        *({"table": table, "expectation": "expect_table_row_count_to_equal", "value": 1}
          for table in ("customers", "items", "events", "consents"))
    )  # fmt: skip
    consents = [
        {"customer_id": f"c{n}", "channel": "email", "granted": True, "occurred_at": "2017-11-01T00:00:00Z"}
        for n in range(5)
    ]
    land(shop, settings, "consents", consents)
    check(shop, settings)
    later = DAY + timedelta(days=1)
    land(shop, settings, "events", events(later, 60), later)
    land(shop, settings, "consents", consents[:2], later)
    check(shop, settings, later)
    observed = {
        (row[0], row[1]): row[2]
        for row in rows_of(
            shop,
            "select business_date, table_name, observed_value from marketing.quality_results"
            " where expectation = 'expect_table_row_count_to_equal'",
        )
    }
    assert {table: observed[DAY, table] for table in ("customers", "items", "events", "consents")} == {
        "customers": "20", "items": "10", "events": "40", "consents": "5",
    }  # fmt: skip
    assert {table: observed[later, table] for table in ("customers", "items", "events")} == {
        "customers": "20", "items": "10", "events": "60",
    }  # fmt: skip
    assert observed[later, "consents"] == "2"


def test_no_row_is_fetched_to_learn_of_columns(shop: Engine, expecting: Callable[..., Settings]) -> None:
    """What the server gives out is a few counts, not the events: nothing of a night's size passes through Python."""
    fetched: list[int] = []

    def count(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if "FROM marketing.events" in statement:
            fetched.append(cursor.rowcount)

    mean = {"table": "events", "column": "quantity", "expectation": "expect_column_mean_to_be_between", "min_value": 0}
    event.listen(Engine, "after_cursor_execute", count)
    try:
        check(shop, expecting(mean, LARGE))
    finally:
        event.remove(Engine, "after_cursor_execute", count)
    assert fetched
    assert max(fetched) == 1


def test_a_condition_cannot_write(shop: Engine, expecting: Callable[..., Settings]) -> None:
    with shop.begin() as connection:
        connection.execute(
            text(
                "create function marketing.empty_items() returns boolean language plpgsql as"
                " $$ begin delete from marketing.items; return true; end $$"
            )
        )
    with pytest.raises(QualityGateFailed, match="cannot execute DELETE in a read-only transaction"):
        check(shop, expecting(LARGE | {"condition": "marketing.empty_items()"}))
    assert rows_of(shop, "select count(*) from marketing.items") == [(10,)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"condition": "quantty > 1"}, 'condition: column "quantty" does not exist'),
        ({"condition": "quantity >"}, "condition: syntax error at or near"),
        ({"condition": "quantity"}, "condition: argument of WHERE must be type boolean"),
        ({"condition": "quantity > 1) or (true"}, None),
        ({"condition": "true", "name": "duplicate"}, "name: 'duplicate' is the name of a rule of the gate's own"),
        ({"condition": "quantity > 'ada@person.example'"}, "condition: invalid input syntax for type double precision"),
        (CHEAP | {"min_value": "cheap"}, "min_value: value is not a valid float"),
        (CHEAP | {"mostly": 7}, "mostly: "),
    ],
)
def test_what_cannot_be_judged_is_said_before_anything_is(
    shop: Engine, expecting: Callable[..., Settings], wrong: Row, says: str | None
) -> None:
    settings = expecting(CHEAP | {"name": "first"}, (LARGE if "condition" in wrong else {}) | wrong)
    if says is None:  # odd, but SQL all the same
        check(shop, settings)
        return
    with pytest.raises(QualityGateFailed) as caught:
        check(shop, settings)
    table, expectation = settings.quality.expectations[1].table, settings.quality.expectations[1].expectation
    start = f"Quality gate cannot judge 2017-11-30: quality.expectations.1 ({expectation} of {table}): {says}"
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)
    assert "person.example" not in str(caught.value)
    assert rows_of(shop, "select count(*) from marketing.quality_results") == [(0,)]


def test_one_that_cannot_be_computed_stops_the_run_and_spoils_no_other(
    shop: Engine, expecting: Callable[..., Settings]
) -> None:
    pattern = {"table": "items", "expectation": "expect_column_values_to_match_regex", "severity": "info", "regex": "x"}
    with pytest.raises(QualityGateFailed, match="expect_column_values_to_match_regex on price failed: "):
        check(shop, expecting(pattern | {"column": "price"}, pattern | {"column": "title"}))
    assert {row[1]: row[4] for row in own_results(shop, "items")} == {"price": 0, "title": 10}


def test_no_value_is_quoted_when_a_row_cannot_be_computed(shop: Engine, expecting: Callable[..., Settings]) -> None:
    condition = "cast(nullif(email, '') as integer) > 1"
    with pytest.raises(QualityGateFailed) as caught:
        check(shop, expecting({"table": "customers", "expectation": "rows_where", "condition": condition}))
    assert "customers: rows_where on rows_where failed: " in str(caught.value)
    assert "invalid input syntax for type integer" in str(caught.value)
    assert "shop.example" not in str(caught.value) + str(own_results(shop, "customers"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"table": "orders"}, "quality.expectations.0.table"),
        ({"table": "orders"}, "'customers', 'items', 'events'"),
        ({"column": "prize"}, "'prize' is no column of items; choose from: item_id, title, category, brand, price"),
        (
            {"expectation": "expect_prices"},
            "'expect_prices' is no expectation; choose from: rows_where, expect_column_distinct_values_to_be_in_set,",
        ),
        (
            {"minimum": 1},
            "'minimum' is no argument of expect_column_values_to_be_between; choose from: column, mostly, min_value,",
        ),
        ({"severity": "fatal"}, "'critical', 'warning' or 'info'"),
        ({"column": None}, "expect_column_values_to_be_between needs column"),
        ({"name": "a name"}, "quality.expectations.0.name"),
        (
            {"expectation": "expect_compound_columns_to_be_unique", "column": None, "min_value": None,
             "column_list": ["item_id", "colour"]},
            "'colour' is no column of items",
        ),
        ({"expectation": "rows_where", "condition": "true"}, "'column' is no argument of rows_where"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name_with_the_choices(
    expecting: Callable[..., Settings], wrong: Row, says: str
) -> None:
    given = {name: value for name, value in (CHEAP | wrong).items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        expecting(given)
    assert "quality.expectations.0" in str(caught.value)
    assert says in str(caught.value)


def test_two_alike_and_two_statements_are_refused(expecting: Callable[..., Settings]) -> None:
    with pytest.raises(ValidationError, match="is expected of items twice as 'price'; give each a name of its own"):
        expecting(CHEAP, CHEAP | {"min_value": 5})
    expecting(CHEAP, CHEAP | {"min_value": 5, "name": "dear"})
    with pytest.raises(ValidationError, match="without a semicolon"):
        expecting(LARGE | {"condition": "true); delete from marketing.items; select (true"})


def test_settings_are_read_without_great_expectations(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps({"quality": {"expectations": [CHEAP | {"severity": "info"}]}}))
    program = (
        "import sys; from include.settings import load_settings;"
        " print(load_settings().quality.expectations[0].arguments, 'great_expectations' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"LAMPLIGHTER_SETTINGS": str(file), "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "{'column': 'price', 'min_value': 3} False"


def test_every_expectation_of_the_catalogue_is_computed(shop: Engine, expecting: Callable[..., Settings]) -> None:
    assert list(EXAMPLES) == list(ARGUMENTS)
    summary = check(
        shop, expecting(*({"table": "events", "expectation": name} | example for name, example in EXAMPLES.items()))
    )
    assert failed(shop) == {}
    assert summary.warnings == 0
    assert len(own_results(shop)) == len(ARGUMENTS)


def test_the_catalogue_is_great_expectations_own() -> None:
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    of_every_one = {
        *("id", "meta", "notes", "result_format", "description", "catch_exceptions", "rendered_content", "severity"),
        *("windows", "batch_id", "row_condition", "condition_parser", "library_metadata"),
    }
    for name in set(ARGUMENTS) - {ROWS_WHERE}:
        fields = get_expectation_impl(name).__fields__
        assert set(known_arguments(name)) == set(fields) - of_every_one - {"column_index"}, name
        assert required_arguments(name) == {key for key in known_arguments(name) if fields[key].required}, name
        assert judges_rows(name) == ("mostly" in fields)
    not_in_postgres = {
        *("expect_column_values_to_be_dateutil_parseable", "expect_column_values_to_be_json_parseable"),
        *("expect_column_values_to_be_decreasing", "expect_column_values_to_be_increasing"),
        *("expect_column_values_to_match_json_schema", "expect_column_values_to_match_strftime_format"),
        *("expect_column_quantile_values_to_be_between", "expect_table_row_count_to_equal_other_table"),
    }
    of_types = {f"expect_column_{of}" for of in ("type_to_be", "values_to_be_of_type", "values_to_be_in_type_list")}
    of_another_kind = {"expect_column_kl_divergence_to_be_less_than", "expect_query_results_to_match_comparison"}
    registered = {name for name in list_registered_expectation_implementations() if name.startswith("expect_")}
    assert registered - set(ARGUMENTS) == not_in_postgres | of_types | of_another_kind

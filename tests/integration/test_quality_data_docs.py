"""The data quality report of a night: written whatever the verdict, without a row of the shop, kept for some nights."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from quality_shop import CUSTOMERS, DAY, check, customers, events, failed, items, land
from sqlalchemy import Engine, text

from include.quality import QualityGateFailed
from include.quality.suites import suites
from include.reporting.pages import STATIC_FILES
from include.settings import Settings

PERSON = "ada@person.example"
EMPTY_ELEMENTS = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> Engine:
    """A clean day."""
    for table, rows in {"customers": customers(), "items": items(), "events": events()}.items():
        land(engine, settings, table, rows)
    return engine


def page(settings: Settings, day: date = DAY) -> str:
    return Path(settings.data_docs_page(day)).read_text()


def words(html: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in EMPTY_ELEMENTS:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_a_clean_night_has_a_report_of_every_check(shop: Engine, settings: Settings) -> None:
    summary = check(shop, settings)
    report = words(page(settings))
    assert f"Data quality report of 2017-11-30 {summary.checks} of {summary.checks} checks passed; the night" in report
    assert "stopped" not in report
    assert "e+18" not in report  # the bound of what is only counted
    for suite in suites(settings.quality):
        assert f"{suite.name.replace('_', ' ').capitalize()} {len(suite.checks)} check" in report
    # Great Expectations' words, what it observed, the severity and ours.
    assert (
        "email maximum value must be greater than or equal to 0.0 and less than or equal to 0.01 . 0 warning"
        f" customers: 0% of {CUSTOMERS} emails are not addresses" in report
    )


def test_a_stopped_night_has_one_too_and_a_rerun_replaces_it(shop: Engine, settings: Settings) -> None:
    check(shop, settings)
    passed = page(settings)
    land(shop, settings, "events", [row | {"customer_id": "unheard-of"} for row in events()])
    with pytest.raises(QualityGateFailed):
        check(shop, settings)
    report = words(page(settings))
    assert "the night stopped" in report
    assert "These stopped the night Nothing was trained or planned. events: 100% of 40 events name an unknown" in report
    land(shop, settings, "events", events())
    with shop.begin() as connection:  # the same landing files again, by their numbers
        connection.execute(text("delete from marketing.quality_results"))
    check(shop, settings)
    newest = re.compile(r'landing_files: \d+|show-scrollbars">\d+<')
    assert newest.sub("", page(settings)) == newest.sub("", passed)
    assert [found.name for found in Path(settings.data_docs_page(DAY)).parent.iterdir()] == ["2017-11-30.html"]


def test_the_page_holds_no_row_of_the_shop(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    """Whatever is observed: values that fail, the values there are, a key, or what Postgres quotes in an error."""
    with shop.begin() as connection:
        connection.execute(
            text("update marketing.customers set email = :person, country = :person"), {"person": PERSON}
        )
    curious = (
        {"expectation": "expect_column_distinct_values_to_be_in_set", "value_set": ["x"]},
        {"expectation": "expect_column_most_common_value_to_be_in_set", "value_set": ["x"]},
        {"expectation": "expect_column_values_to_be_in_set", "value_set": ["x"]},
        {"expectation": "expect_column_values_to_match_regex", "regex": "x"},
        {"expectation": "expect_column_sum_to_be_between", "min_value": 1},
    )
    expected = [{"table": "customers", "column": "email", "severity": "info"} | one for one in curious]
    settings = make_settings(quality={"expectations": expected})
    with pytest.raises(QualityGateFailed) as caught:  # a sum of addresses cannot be computed
        check(shop, settings)
    report = page(settings)
    assert "person.example" not in report + str(caught.value) + str(failed(shop))
    assert "Traceback" not in report
    assert f"{CUSTOMERS} unexpected values found. 100% of {CUSTOMERS} total rows." in words(report)
    assert "customers: expect_column_sum_to_be_between on email could not be computed" in words(report)


def test_what_the_settings_say_is_escaped(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    wild = "<script>alert(1)</script>"
    asked = {
        "table": "items",
        "column": "title",
        "expectation": "expect_column_values_to_be_in_set",
        "severity": "info",
    }
    settings = make_settings(quality={"expectations": [asked | {"value_set": [wild]}]})
    check(shop, settings)
    report = page(settings)
    assert "<script>alert" not in report
    assert report.count("&lt;script&gt;alert(1)") == 3  # the set, the sentence in its row, and among what was reported


def test_it_loads_nothing_from_elsewhere_and_only_what_is_served(shop: Engine, settings: Settings) -> None:
    check(shop, settings)
    report = page(settings)
    assert not re.search(r"https?://|//\w", report)
    assert not re.search(r"<style|<script(?![^>]*src=)|\son\w+=", report)
    parsed = Balanced()
    parsed.feed(report)
    assert parsed.opened == []
    served = {f"static/{name}" for name in STATIC_FILES} | {"./", "customer"}
    assert set(parsed.links) <= served
    assert "static/data-docs.css" in parsed.links


def test_the_last_nights_are_kept(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(quality={"data_docs_nights": 2})
    days = [DAY - timedelta(days=back) for back in (0, 2, 1, 5)]
    for day in days:
        land(shop, settings, "events", events(day), day)
        check(shop, settings, day)
    folder = Path(settings.data_docs_page(DAY)).parent
    # The last one written was a rerun of an old night, and somebody may want to read it.
    assert sorted(found.name for found in folder.iterdir()) == ["2017-11-25.html", "2017-11-29.html", "2017-11-30.html"]
    check(shop, settings)
    assert sorted(found.name for found in folder.iterdir()) == ["2017-11-29.html", "2017-11-30.html"]


@pytest.mark.parametrize("bad", [False, True])
def test_a_report_that_cannot_be_stored_decides_nothing(
    shop: Engine, make_settings: Callable[..., Settings], tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: bool
) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = make_settings(artifacts=str(tmp_path / "file"))
    if bad:
        land(shop, settings, "events", [row | {"customer_id": "unheard-of"} for row in events()])
        with pytest.raises(QualityGateFailed, match="unknown customer"):
            check(shop, settings)
    else:
        check(shop, settings)
    assert "could not be written" in caplog.text

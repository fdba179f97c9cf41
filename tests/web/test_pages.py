"""The pages over real tables, behind a guard that lets everybody in or nobody."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from shop_morning import CAMPAIGNS, DATE, DECISIONS
from sqlalchemy import Engine, insert, text

from include.db import tables
from include.reporting.estimates import Estimate
from include.reporting.page_data import model_score
from include.reporting.pages import create_app

HTML = {"accept": "text/html"}
RUNNING = {key: campaign for key, campaign in CAMPAIGNS.items() if key != "C6"}


def nobody() -> None:
    raise HTTPException(401)


@pytest.fixture
def client(use_database: None) -> TestClient:
    return TestClient(create_app(lambda: None), raise_server_exceptions=False)


def figures(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="figure-([a-z-]+)">(.*?)</script>', page, re.S)
    return {name: json.loads(data) for name, data in found}


def visible(page: str) -> str:
    """The page's text with its tags taken out and white space folded."""
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S).split())


def test_headline_figures_come_from_the_tables(shop: Engine, client: TestClient) -> None:
    page = visible(client.get("/").text)
    sent = sum(campaign[1] for campaign in RUNNING.values())
    clicked = sum(campaign[2] for campaign in RUNNING.values())
    assert f"Messages sent {sent:,} to date by 5 running campaigns" in page
    assert f"Click rate {100 * clicked / sent:.1f}%" in page
    assert "Unsubscribe rate 0.35% 0.22% to 0.53%" in page
    # 2,345 customers × 0.21, 0.03 and 0.39.
    assert "Added margin $492 $70 to $915 against the global holdout" in page
    assert "Return on cost +212% −55% to +480% · no difference shown on $158 of messages" in page


def test_every_chart_carries_its_rows_and_intervals(shop: Engine, client: TestClient) -> None:
    charts = figures(client.get("/").text)
    assert set(charts) == {"click-rate", "roi", "hours", "choice", "decisions"}
    rates = charts["click-rate"]["data"][0]
    assert rates["x"] == pytest.approx([clicked / sent for _, sent, clicked, _, _ in RUNNING.values()])
    assert all(width > 0 for width in rates["error_x"]["array"] + rates["error_x"]["arrayminus"])
    roi = charts["roi"]["data"][0]
    assert roi["x"] == [1.9, 0.4, -1.4, 0.9]  # the campaign without a figure is left out
    assert roi["marker"]["color"] == ["var(--good)", "var(--undecided)", "var(--bad)", "var(--undecided)"]
    assert charts["decisions"]["data"][0]["x"] == [DECISIONS["scheduled"], 861, 377, 203, 118, 14]


def test_ended_campaigns_stand_apart(shop: Engine, client: TestClient) -> None:
    page = client.get("/").text
    running, ended = page.split("1 campaign that ended before")
    assert "Summer barbecue" in ended
    assert "Summer barbecue" not in running
    with shop.begin() as connection:
        connection.execute(text("update marketing.campaigns set ends_on = '2017-11-29'"))
    page = client.get("/").text
    assert "by 6 ended campaigns" in page
    assert "ended before" not in page


def test_hours_are_the_customers_own_and_machines_do_not_count(shop: Engine, client: TestClient) -> None:
    hours = figures(client.get("/").text)["hours"]["data"][0]
    by_hour = dict(zip(hours["x"], (row[0] for row in hours["customdata"]), strict=True))
    with shop.connect() as connection:
        expected = connection.execute(
            text(
                "select extract(hour from send_at at time zone case when time_zone = 'Not/AZone' "
                "then 'America/New_York' else time_zone end)::int as hour, count(*) "
                "from marketing.messages join marketing.customers using (customer_id) "
                "where state = 'sent' and send_at < '2017-12-01 05:00+00' group by 1"
            )
        ).all()
    assert by_hour == dict(map(tuple, expected))
    before = sum(rate * row[0] for rate, row in zip(hours["y"], hours["customdata"], strict=True))
    with shop.begin() as connection:
        people = connection.execute(
            text("select count(*) from marketing.engagements where not is_machine")
        ).scalar_one()
    assert before == pytest.approx(people)


def test_our_choice_stands_beside_other_ways_with_intervals(shop: Engine, client: TestClient) -> None:
    page = client.get("/").text
    chart = figures(page)["choice"]["data"][0]
    # The experiment follows the estimate of the same way; what has no figure is left out.
    assert chart["x"] == [0.0412, 0.0298, 0.0298, 0.0389]
    assert chart["marker"]["color"] == ["var(--accent)", *["var(--undecided)"] * 3]
    assert chart["error_x"]["array"] == pytest.approx([0.0021, 0.0037, 0.0037, 0.0088])
    words = visible(page)
    assert "Our choice 4.12% 3.91% to 4.33% – 41,200 What was sent" in words
    assert "Random hour 2.98% 2.61% to 3.35% +1.14 pp +0.71 pp to +1.57 pp 6,120 A gain over random hours." in words
    assert "Random hour, by experiment 2.98%" in words
    assert "Customer&#39;s modal hour 3.89% 3.01% to 4.77% +0.23 pp −0.60 pp to +1.06 pp 2,210" in words
    assert "Shop&#39;s best hour – – 140 Not enough data" in words
    assert "Of 41,510 messages whose hour we chose and whose day for a click is over, 310 are left out, for" in words
    assert "The experiment compares 2,090 further messages, meant for random hours," in words
    assert 'verdict good">+1.14 pp' in page
    assert 'verdict open">+0.23 pp' in page


def test_a_choice_of_which_too_little_is_known_says_so(shop: Engine, client: TestClient) -> None:
    few = "Not enough data: no send with a known probability has matured."
    with shop.begin() as connection:
        connection.execute(
            text("update marketing.policy_values set value = null, difference = null, verdict = :few"), {"few": few}
        )
    page = client.get("/").text
    assert "choice" not in figures(page)
    assert f"told from the log of our own draws. {few}" in visible(page)
    with shop.begin() as connection:
        connection.execute(text("delete from marketing.policy_values"))
    assert "No night has valued it yet." in client.get("/").text


def test_last_nights_show_gate_model_and_messages(shop: Engine, client: TestClient) -> None:
    page = visible(client.get("/").text)
    assert "The night of Fri 1 Dec 2017 stopped at the quality gate" in page
    assert "events: 0 rows on 2017-12-01, at least 1 expected" in page
    assert re.search(r"Thu 30 Nov 2017 passed \S+ \d champion als-2017-11-30 nDCG@10 0.0812 is not below", page)
    assert "0.0812 0.0764 · 0.0331 200 388 sent, 20 planned, 4 expired" in page
    assert "Mon 27 Nov 2017 passed 4,137 1 rejected als-2017-11-27" in page  # that model was not evaluated


def test_generated_reactions_are_marked_and_only_they(shop: Engine, client: TestClient) -> None:
    badge = "includes generated reactions"
    assert badge in client.get("/").text
    assert badge in client.get("/campaign", params={"campaign_id": "C1"}).text
    assert badge not in client.get("/customer", params={"customer_id": "K1"}).text
    with shop.begin() as connection:
        for table in ("campaign_results", "campaign_roi", "campaign_lift", "policy_values"):
            connection.execute(text(f"update marketing.{table} set includes_generated = false"))
    assert badge in client.get("/").text  # clicks by hour still come from the generator
    with shop.begin() as connection:
        connection.execute(text("update marketing.engagements set attributes = '{}'"))
        connection.execute(
            insert(tables.events),
            {
                "event_id": "e", "event_type": "purchase", "customer_id": "K1", "occurred_at": DATE,
                "properties": {"generated": "true"}, "file_id": 1, "row_number": 1,
            },
        )  # fmt: skip
    assert badge not in client.get("/").text
    assert badge in client.get("/customer", params={"customer_id": "K1"}).text


def test_too_few_data_are_said_and_no_figure_is_shown(shop: Engine, client: TestClient) -> None:
    with shop.begin() as connection:
        for table in ("campaign_lift", "campaign_roi"):
            connection.execute(
                text(f"update marketing.{table} set verdict = :verdict where campaign_id = 'all'"),
                {"verdict": "not enough data: about 5,200 more customers needed"},
            )
    page = visible(client.get("/").text)
    assert "Added margin not enough data about 5,200 more customers needed" in page
    assert "Return on cost not enough data about 5,200 more customers needed" in page
    assert "$492" not in page


def test_names_are_escaped_everywhere(shop: Engine, client: TestClient) -> None:
    for path in ("/", "/campaign?campaign_id=C5", "/customer?customer_id=<script>alert(1)</script>"):
        page = client.get(path).text
        assert "alert(1)" in page
        assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in " ".join(
        figures(client.get("/").text)["click-rate"]["data"][0]["customdata"][-1][:1]
    )


def test_campaign_page_shows_arms_and_lift(shop: Engine, client: TestClient) -> None:
    page = visible(client.get("/campaign", params={"campaign_id": "C1"}).text)
    assert "Did it pay? yes, a gain" in page
    assert "Return on cost +190% +60% to +320%" in page
    assert "margin per customer 3.2 2,345 customers 3 124 customers 0.21 0.03 to 0.39 0.021 gain" in page
    assert "All channels control 1,200 0" in page
    assert client.get("/campaign", params={"campaign_id": "none"}).status_code == 404


def test_customer_page_answers_why(shop: Engine, client: TestClient) -> None:
    page = visible(client.get("/customer", params={"customer_id": "K1"}).text)
    assert "Loyal , last purchase 3 days before Thu 30 Nov 2017, 12 purchase days, $432 spent" in page
    # 17:00 UTC on the customer's own clock in Berlin.
    assert (
        "Message planned The message by email, planned for Fri 1 Dec 2017 18:00, went out on an unknown time. "
        "Best hour of the customer's own day."
    ) in page.replace("&#39;", "'")
    assert "Email Fri 1 Dec 2017 18:00 sent" in page
    assert "What they are likely to buy next Item 1 They buy it again and again." in page
    assert "What would be new to them Item 1 It goes with Item 0, which they bought. Item 2" in page
    in_holdout = f"K{DECISIONS['scheduled']}"
    assert "Global holdout No message: global holdout. Because of held_out." in visible(
        client.get("/customer", params={"customer_id": in_holdout}).text
    )
    assert "k1@shop.test" not in page
    assert "There is no customer with the id nobody." in client.get("/customer", params={"customer_id": "nobody"}).text


def test_customer_page_shows_both_messages_of_one_decision(shop: Engine, client: TestClient) -> None:
    with shop.begin() as connection:
        connection.execute(
            text(
                "update marketing.message_decisions set second_channel = 'app_push', second_propensity = 0.2, "
                "second_send_at = send_at + interval '2 hours' where customer_id = 'K1' and decision = 'scheduled'"
            )
        )
    page = visible(client.get("/customer", params={"customer_id": "K1"}).text)
    assert "A second message by app push, planned for Fri 1 Dec 2017 20:00, is no longer on record." in page
    assert "Email App push Fri 1 Dec 2017 18:00 Fri 1 Dec 2017 20:00 sent" in page


def test_customer_page_tells_what_they_are_likely_to_do(shop: Engine, client: TestClient) -> None:
    def told(changes: str) -> str:
        with shop.begin() as connection:
            connection.execute(text(f"update marketing.customer_features set {changes} where customer_id = 'K1'"))
        return visible(client.get("/customer", params={"customer_id": "K1"}).text)

    assert "Stage of life" not in visible(client.get("/customer", params={"customer_id": "K1"}).text)
    page = told(
        "lifecycle_stage = 'at_risk', churn_probability = 0.125, expected_orders = 2.4567, expected_value = 99.5"
    )
    assert "at risk. In the next 60 days: 12% chance of no order at all, 2.5 orders expected, worth $100." in page
    assert "bargain" not in page
    page = told("expected_value = null, discount_sensitivity = 0.31")
    assert "2.5 orders expected. 31% of what they buy of items that have their offers is a bargain." in page
    page = told("churn_probability = null, expected_orders = null")
    assert "Stage of life: at risk. Too little is known yet to say what they will order. 31%" in page


def test_an_empty_database_says_what_to_run(engine: Engine, client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "No night has run yet" in answer.text
    assert "nightly_marketing" in answer.text
    assert client.get("/customer", params={"customer_id": "K1"}).status_code == 200


def test_a_first_night_stopped_by_the_gate_is_shown_without_figures(engine: Engine, client: TestClient) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(tables.quality_results),
            {
                "business_date": date(2017, 11, 1), "table_name": "items", "expectation": "unique",
                "severity": "critical", "success": False, "message": "items: 3 ids occur twice",
            },
        )  # fmt: skip
    page = client.get("/").text
    assert "items: 3 ids occur twice" in page
    assert "No report has been computed yet" in page
    assert "Messages sent" not in page


def test_an_unmigrated_database_is_explained(engine: Engine, client: TestClient) -> None:
    with engine.begin() as connection:
        connection.execute(text("drop schema marketing cascade"))
    answer = client.get("/")
    assert answer.status_code == 503
    assert "python -m include.db.migrate" in answer.text
    assert "UndefinedTable" not in answer.text


@pytest.mark.parametrize(
    ("variables", "title"),
    [
        (
            {"LAMPLIGHTER_DATABASE_URL": "postgresql+psycopg2://ada:secret@127.0.0.1:1/none"},
            "The marketing database cannot be reached",
        ),
        ({}, "No marketing database is set"),
        ({"LAMPLIGHTER_DATABASE_URL": "no url secret"}, "No marketing database is set"),
        ({"LAMPLIGHTER_MISSPELT": "secret"}, "No marketing database is set"),
    ],
    ids=["unreachable", "unset", "malformed", "unknown-setting"],
)
def test_without_a_database_the_page_says_so_and_keeps_secrets(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variables: dict[str, str], title: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    answer = TestClient(create_app(lambda: None), raise_server_exceptions=False).get("/")
    assert answer.status_code == 503
    assert title in answer.text
    for seen in (answer.text, caplog.text):
        assert "Traceback" not in seen
        assert "secret" not in seen


def test_an_unforeseen_failure_shows_nothing_of_itself(
    shop: Engine, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with shop.begin() as connection:
        connection.execute(text("alter table marketing.models alter column metrics type text using 'wrong-secret'"))
    answer = client.get("/")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "wrong-secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert "Traceback" in caplog.text  # the operator does see why


@pytest.mark.parametrize("path", ["/campaign", "/customer?customer_id=" + 201 * "x", "/customer?customer_id=%00"])
def test_bad_addresses_are_refused(shop: Engine, client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 400


def test_every_route_asks_the_guard(shop: Engine, use_database: None) -> None:
    """Also a route added tomorrow: whatever the app answers must be the guard's refusal."""
    app = create_app(nobody)
    client = TestClient(app)
    assert len(app.routes) >= 4
    for route in app.routes:
        path = re.sub(r"\{[^}]+\}", "page.css", route.path)  # type: ignore[attr-defined]  # every route has a path
        for query in ("", "?customer_id=K1&campaign_id=C1"):
            answer = client.get(path + query, headers=HTML)
            assert answer.status_code == 401, path
            assert "Pantry favourites" not in answer.text
            assert "--accent" not in answer.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/static/pages.py", "/static/..%2fpages.py"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_reading_is_possible(shop: Engine, client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


def test_the_pages_cannot_write(shop: Engine, client: TestClient) -> None:
    """A page's connection refuses to write, whatever a query might say."""
    from sqlalchemy.exc import InternalError

    from include.reporting.page_data import snapshot

    with snapshot(shop) as connection, pytest.raises(InternalError, match="read-only"):
        connection.execute(text("delete from marketing.messages"))


def test_security_headers_and_caching(shop: Engine, client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page.text)
    assert " style=" not in page.text
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page.text)
    script = re.search(r'src="(static/plotly.min.js\?v=\w+)"', page.text)
    assert script is not None
    assert "immutable" in client.get(script[1]).headers["cache-control"]
    assert "immutable" not in client.get("static/plotly.min.js").headers["cache-control"]


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the data quality reports."""
    monkeypatch.setenv("LAMPLIGHTER_ARTIFACTS", str(tmp_path / "artifacts"))
    folder = tmp_path / "artifacts" / "data_docs"
    folder.mkdir(parents=True)
    return folder


def test_the_nights_link_to_their_data_quality_reports(shop: Engine, client: TestClient, reports: Path) -> None:
    page = client.get("/").text
    assert '<a href="data-quality?business_date=2017-11-30">Data quality report of 2017-11-30</a>' in page
    stopped = page.split('role="alert"')[1].split("</section>")[0]
    assert '<a href="data-quality?business_date=2017-12-01">Data quality report of 2017-12-01</a>' in stopped
    nights = page.split("The last nights")[1]
    assert len(re.findall(r'<a href="data-quality\?business_date=2017-1[12]-\d\d" title="Data quality', nights)) == 7

    (reports / "2017-12-01.html").write_text("<!doctype html><p>äll good")
    answer = client.get("/data-quality?business_date=2017-12-01")
    assert (answer.status_code, answer.text) == (200, "<!doctype html><p>äll good")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    missing = client.get("/data-quality?business_date=2017-11-30")
    assert missing.status_code == 404
    assert "No data quality report of 2017-11-30" in missing.text


@pytest.mark.parametrize(
    "asked", ["", "../secret", "2017-12-01/../../secret", "..%2Fsecret", "2017-12-01%00", "x" * 9999]
)
def test_only_a_date_names_a_report(shop: Engine, client: TestClient, reports: Path, asked: str) -> None:
    (reports / "secret.html").write_text("not for you")
    (reports.parent / "secret.html").write_text("not for you")
    answer = client.get(f"/data-quality?business_date={asked}")
    assert answer.status_code == 400
    assert "not for you" not in answer.text


def test_a_storage_that_refuses_is_explained(
    shop: Engine, client: TestClient, reports: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (reports / "2017-12-01.html").mkdir()  # reading it is an OSError for every user, also the administrator
    answer = client.get("/data-quality?business_date=2017-12-01")
    assert answer.status_code == 503
    assert "The report cannot be read" in answer.text
    assert "IsADirectoryError" in caplog.text
    assert str(reports) not in answer.text


def test_model_scores_are_read_with_care() -> None:
    served = {"ndcg@10": 0.08, "low": 0.07, "high": 0.09}
    score = model_score({"next_purchase": {"served": served, "popularity": {"ndcg@10": 0.03}}})
    assert score is not None
    assert score.served == Estimate(0.08, 0.07, 0.09)
    assert (score.popularity, score.own_frequency) == (0.03, None)
    for metrics in (None, {}, {"next_purchase": None}, {"next_purchase": {}}, {"next_purchase": {"served": None}}):
        assert model_score(metrics) is None

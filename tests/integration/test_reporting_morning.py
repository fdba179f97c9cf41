"""The console's report says what the tables say."""

from __future__ import annotations

import re

import pytest
from reporting_world import DAY, PROVENANCE, World, at, small_world
from sqlalchemy import Engine

from include.db import tables
from include.reporting import compute_reports
from include.reporting.morning import morning_report
from include.settings import Settings


@pytest.fixture
def small(engine: Engine) -> World:
    return small_world(engine)


def section(report: str, title: str) -> list[list[str]]:
    """The cells of the rows below a title, header left out."""
    (found,) = [part for part in report.split("\n\n") if part.startswith(title)]
    return [re.split(r" {2,}", line.strip()) for line in found.splitlines()[2:]]


def test_sections_show_the_figures(small: World, settings: Settings) -> None:
    compute_reports(small.engine, settings, business_date=DAY)
    report = morning_report(small.engine, settings, business_date=DAY)
    assert report.startswith("Morning report for Wednesday 2017-11-29 (America/New_York)\n")
    sent = section(report, "Messages sent so far")
    assert [row[:6] for row in sent] == [
        ["winter*", "App push", "1", "1", "0", "1"],
        ["winter*", "Email", "2", "1", "1", "1"],
        ["winter*", "All channels", "3", "2", "1", "2"],
    ]
    assert sent[2][6].startswith("66.67% [")
    bought = section(report, "Purchases of everyone assigned")
    assert ["winter*", "treated", "3", "2", "$35", "$12"] in bought
    assert ["winter", "control", "1", "1", "$20", "$6"] in bought
    everything, winter = section(report, "Lift in margin per customer")
    assert everything[:7] == ["all*", "global holdout", "5", "$4.70", "1", "$4.00", "–"]
    assert winter[1] == "its control"
    assert winter[-1].startswith("not enough data: about ")
    assert section(report, "Return on what was spent")[1][:5] == ["winter*", "$0.02", "–", "–", "$35.00"]


def test_generated_reactions_are_said_to_be(small: World, settings: Settings) -> None:
    compute_reports(small.engine, settings, business_date=DAY)
    assert "made by a generator, not by people" in morning_report(small.engine, settings, business_date=DAY)
    night = at("28 12:00").date()
    assert "generator" not in morning_report(small.engine, settings, business_date=night)


def test_the_other_rooms_figures(small: World, settings: Settings) -> None:
    measured = {
        "served": {"ndcg@10": 0.4141, "low": 0.4, "high": 0.43},
        "als": {"ndcg@10": 0.264, "low": 0.25, "high": 0.28},
        "own_frequency": {"ndcg@10": 0.41},
        "popularity": {"ndcg@10": 0.0512, "low": 0.04, "high": 0.06},
    }
    model = {
        "algorithm": "als",
        "parameters": {},
        "artifact_uri": "x",
        "artifact_sha256": "x",
        "reason": "First model.",
    }
    small.insert(
        tables.models,
        [
            {
                **model,
                "model_id": "m-1",
                "business_date": DAY,
                "status": "champion",
                "metrics": {"next_purchase": measured},
            },
            {**model, "model_id": "m-2", "business_date": DAY, "status": "rejected", "metrics": {}},
        ],
    )
    check = {"business_date": DAY, "table_name": "items", "column_name": "", "message": "3 items have no title"}
    small.insert(
        tables.quality_results,
        [
            {**check, "expectation": "titles", "severity": "warning", "success": False},
            {**check, "expectation": "ids", "severity": "critical", "success": True},
        ],
    )
    small.decide("treated", "t1", "t2", night=DAY, decision="no_consent")
    small.decide("treated", "t3", night=DAY)
    report = morning_report(small.engine, settings, business_date=DAY)
    assert section(report, "Recommender m-1 (als)") == [
        ["what is served", "0.4141 [0.4000, 0.4300]"],
        ["ALS alone", "0.2640 [0.2500, 0.2800]"],
        ["own frequency", "0.4100"],
        ["popularity", "0.0512 [0.0400, 0.0600]"],
        ["First model."],
    ]
    assert section(report, "Data quality") == [["items", "2", "1", "1"], ["warning: items: 3 items have no title"]]
    assert section(report, "Decisions of the night") == [
        ["winter", "No consent", "2"],
        ["winter", "Message planned", "1"],
    ]
    sizes = dict(section(report, "Rows in every table"))
    assert (sizes["events"], sizes["models"], sizes["recommendations"]) == ("9", "2", "0")
    assert set(sizes) == {table.name for table in tables.metadata.tables.values()}


def test_the_choice_of_hour_is_said_beside_other_ways(small: World, settings: Settings) -> None:
    row = {"business_date": DAY, "metric": "click", "sends": 900, "left_out": 3, "includes_generated": True}
    ours = {"value": 0.05, "ci_low": 0.04, "ci_high": 0.06, "verdict": "What was sent, as it was sent."}
    other = {"difference": 0.0123, "difference_low": -0.002, "difference_high": 0.0266, "verdict": "No difference."}
    few = {"policy": "modal_hour", "estimator": "dr", "verdict": "Not enough data: too few clicks."}
    small.insert(tables.policy_values, [{**row, **ours, "policy": "as_logged", "estimator": "dr"}])
    small.insert(tables.policy_values, [{**row, **ours, **other, "policy": "random_hour", "estimator": "dr"}])
    small.insert(tables.policy_values, [{**row, **ours, **other, "policy": "random_hour", "estimator": "ips"}])
    small.insert(tables.policy_values, [{**row, **few}])
    report = morning_report(small.engine, settings, business_date=DAY)
    assert section(report, "What the choice of hour is worth") == [
        ["Our choice*", "5.00% [4.00%, 6.00%]", "–", "What was sent, as it was sent."],
        ["Random hour*", "5.00% [4.00%, 6.00%]", "+1.23 pp [−0.20 pp, +2.66 pp]", "No difference."],
        ["Customer's modal hour*", "–", "–", "Not enough data: too few clicks."],
    ]


def test_campaigns_that_ended_are_counted_only(small: World, settings: Settings) -> None:
    small.campaign("autumn", ends_on=at("20 12:00").date())
    history = {"campaign_id": "autumn", "customer_id": "t1", "channel": "email", "arm": "treated", "cost": 1}
    small.insert(tables.message_history, [{**history, "sent_at": at("10 12:00"), **PROVENANCE}])
    compute_reports(small.engine, settings, business_date=DAY)
    report = morning_report(small.engine, settings, business_date=DAY)
    assert "autumn" not in report
    assert "Campaigns that have ended are left out here (1)" in report


def test_an_empty_database_says_so(engine: Engine, settings: Settings) -> None:
    compute_reports(engine, settings, business_date=DAY)
    report = morning_report(engine, settings, business_date=DAY)
    for words in (
        "nothing was sent",
        "no model has been promoted yet",
        "no check ran for this date",
        "no night has valued it yet",
    ):
        assert words in report
    assert "nan" not in report.lower().split()

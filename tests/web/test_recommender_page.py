"""The page on the recommender, over every state a shop's models can be in."""

from __future__ import annotations

import copy
import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from shop_models import FULL, HOSTILE, UNJUDGED, put_every_kind, put_model
from sqlalchemy import Engine

from include.reporting.pages import create_app
from include.reporting.recommender_data import MODELS_SHOWN

DATE = date(2017, 11, 30)


@pytest.fixture
def client(use_database: None) -> TestClient:
    return TestClient(create_app(lambda: None), raise_server_exceptions=False)


def charts(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="figure-([a-z-]+)">(.*?)</script>', page, re.S)
    return {name: json.loads(data) for name, data in found}


def visible(page: str) -> str:
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S).split())


@pytest.fixture
def full(engine: Engine, client: TestClient) -> str:
    with engine.begin() as connection:
        put_every_kind(connection, DATE)
    answer = client.get("/recommender")
    assert answer.status_code == 200
    return answer.text


def test_without_any_model_the_page_says_what_to_run(engine: Engine, client: TestClient) -> None:
    answer = client.get("/recommender")
    assert answer.status_code == 200
    assert "No model has been trained yet" in answer.text
    assert "nightly_marketing" in answer.text


def test_without_a_model_in_force_the_others_say_why(engine: Engine, client: TestClient) -> None:
    with engine.begin() as connection:
        put_model(
            connection, "two_stage-no", DATE, "rejected", artifact_uri="", reason="Rejected: it does not beat it."
        )
        put_model(connection, "als-old", DATE, "champion", algorithm="als")  # of a kind that is never in force
    page = visible(client.get("/recommender").text)
    assert "No model is in force yet" in page
    assert "In force:" not in page
    assert "rejected – · – Rejected: it does not beat it." in page


def test_an_unjudged_model_shows_why_and_no_figure(engine: Engine, client: TestClient) -> None:
    with engine.begin() as connection:
        put_model(connection, "two_stage-young", DATE, "champion", metrics=UNJUDGED)
    page = client.get("/recommender").text
    assert "In force: two_stage-young" in visible(page)
    assert "Not judged: First model, not judged: history is too short to split." in visible(page)
    assert charts(page) == {}
    assert "Headline figures" not in page


def test_the_plain_model_says_what_serves(engine: Engine, client: TestClient) -> None:
    with engine.begin() as connection:
        put_model(
            connection, "plain-x", DATE, "champion", algorithm="plain", metrics=UNJUDGED,
            parameters={"origin": "plain", "learned_on": "2017-11-30"},
        )  # fmt: skip
    page = visible(client.get("/recommender").text)
    assert "Own history, favourites and popularity serve, without a ranker." in page
    assert "candidates was learned" not in page


def test_the_model_in_force_stands_first_with_its_reason_and_evidence(full: str) -> None:
    page = visible(full)
    assert "In force: two_stage-full Promoted: nDCG@10 differs from champion two_stage-was" in page
    assert "Its recipe was proposed by tune_recommender." in page
    assert "was learned on Tue 28 Nov 2017" in page
    assert "the evening of Thu 2 Nov 2017, on what customers went on to do up to Thu 30 Nov 2017" in page
    assert "0.0812 0.0771 to 0.0852 2.5 times that of the most popular items" in page
    assert "Next purchases, change +0.0012 −0.0004 to +0.0029 · no difference shown against the model before" in page
    assert "New to the customer, change −0.0002 −0.0011 to +0.0007" in page


def test_a_refresh_and_a_first_model_claim_no_difference(engine: Engine, client: TestClient) -> None:
    nothing = {"mean": 0.0, "low": 0.0, "high": 0.0}
    refreshed = FULL | {"split": FULL["split"] | {"difference_to_champion": {"next_purchase": nothing}}}
    with engine.begin() as connection:
        put_model(connection, "two_stage-again", DATE, "champion", metrics=refreshed)
    page = visible(client.get("/recommender").text)
    assert "Next purchases, change the same recipe as the model before, with fresher data" in page
    assert "New to the customer, change not compared" in page


def test_each_purpose_has_its_lists_from_the_served_one_down(full: str) -> None:
    found = charts(full)
    assert set(found) == {
        "accuracy-next-purchase", "frontier-next-purchase", "accuracy-discovery", "frontier-discovery",
    }  # fmt: skip
    lists = found["accuracy-next-purchase"]["data"][0]
    names = [label.strip() for label in found["accuracy-next-purchase"]["layout"]["yaxis"]["ticktext"]]
    assert names[:3] == ["What is served", "ALS", "Own favourites"]
    assert names[-1] == "Trending"
    assert len(names) == 12  # the groups, segments, exposure and frontier are no lists
    assert lists["x"][:2] == [0.0812, 0.0797]
    assert lists["error_x"]["array"][0] == pytest.approx(0.004)
    assert [colour for colour in lists["marker"]["color"] if colour == "var(--accent)"] == ["var(--accent)"]
    assert lists["marker"]["color"][0] == "var(--accent)"
    assert len(found["frontier-discovery"]["data"]) == 4


def test_groups_exposure_and_features_are_in_words(full: str) -> None:
    page = visible(full)
    assert "New customers 44 0.0391 0.0364 0.0156 Light customers 1,066" in page
    assert "By segment Loyal 1,811 0.0844" in page
    assert "At risk 391" in page
    assert "No segment 12 0.0200" in page
    assert re.search(r'<td class="n muted">0.0391</td>', full)  # of 44 customers only
    assert "Best sellers 55.2% Middle 30.1% Rarely bought 13.1% New items 1.5% Never bought 0.0%" in page
    assert "share of the customer's visits with the item 31.2% rank by Own favourites 15.1%" in page.replace(
        "&#39;", "'"
    )
    assert "price against what the customer usually pays" not in page  # the ninth
    assert "recommender.list_rules.next_purchase.diversity to its λ (now 0)" in page
    assert "Recall@10" in page
    assert 'title="How well the first ten of a list match' in full


def test_the_last_models_tell_what_became_of_them(full: str) -> None:
    page = visible(full).split("The last models")[1]
    told = [
        ("proposal-open", "proposed, not judged yet"),
        ("two_stage-full", "in force 0.0812 · 0.0274"),
        ("proposal-good", "proposed, then promoted"),
        ("proposal-bad", "proposed, then rejected"),
        ("two_stage-was", "was in force 0.0800 · –"),
        ("two_stage-withdrawn", "taken out of force – · – Promoted: better. Taken out of force by hand on 2017-11-28"),
        ("two_stage-refused", "rejected – · –"),
    ]
    places = [page.index(f"{model_id} {state}") for model_id, state in told]
    assert places == sorted(places)


def test_only_the_last_models_are_shown(engine: Engine, client: TestClient) -> None:
    with engine.begin() as connection:
        for back in range(MODELS_SHOWN + 3):
            put_model(connection, f"two_stage-{back:02}", DATE - timedelta(days=back), "rejected")
        put_model(connection, "two_stage-long-ago", date(2017, 1, 1), "champion", metrics=FULL)
    page = client.get("/recommender").text
    assert f"two_stage-{MODELS_SHOWN - 1:02}" in page
    assert f"two_stage-{MODELS_SHOWN:02}" not in page
    assert "In force: two_stage-long-ago" in page


def test_hostile_text_is_escaped(engine: Engine, client: TestClient) -> None:
    metrics = copy.deepcopy(FULL)
    metrics["next_purchase"] |= {HOSTILE: metrics["next_purchase"]["als"]}
    metrics["next_purchase"]["segments"][HOSTILE] = metrics["next_purchase"]["segments"]["loyal"]
    metrics["next_purchase"]["exposure"][HOSTILE] = 0.1
    metrics["leans_on"]["next_purchase"][HOSTILE] = 0.9
    metrics["split"]["foretold"] = HOSTILE
    with engine.begin() as connection:
        put_model(connection, HOSTILE, DATE, "champion", metrics=metrics, reason=HOSTILE)
    page = client.get("/recommender").text
    assert page.count("alert(") >= 7
    assert "<script>alert" not in page
    assert "<img" not in page
    labels = charts(page)["accuracy-next-purchase"]["layout"]["yaxis"]["ticktext"]
    assert not any("<script" in label for label in labels)


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"next_purchase": None, "split": None, "leans_on": []},
        {"next_purchase": {"served": {"ndcg@10": 0.1}}},
        {"discovery": {"served": {"ndcg@10": 0.1}, "als": None, "frontier": [{}], "groups": {"new": None}}},
        {"next_purchase": {"served": {"ndcg@10": 0.0, "low": 0.0, "high": 0.0}, "popularity": {"ndcg@10": 0.0}}},
        {"split": {"cut": "none", "in_time": False}},
    ],
    ids=["empty", "nulls", "only-served", "one-purpose", "zeros", "no-dates"],
)
def test_missing_figures_are_left_out(engine: Engine, client: TestClient, metrics: dict[str, Any]) -> None:
    with engine.begin() as connection:
        put_model(connection, "two_stage-odd", DATE, "champion", metrics=metrics, parameters={})
    answer = client.get("/recommender")
    assert answer.status_code == 200
    assert "In force: two_stage-odd" in answer.text
    assert ("accuracy-discovery" in answer.text) == ("discovery" in metrics)


def test_nothing_is_inline_and_only_reading_is_possible(full: str, client: TestClient) -> None:
    assert " style=" not in full
    assert not re.search(r"<script(?![^>]*(src=|application/json))", full)
    assert not re.search(r"\son[a-z]+=", re.sub(r">[^<]*<", "><", full))
    assert client.post("/recommender").status_code == 405
    assert '<a href="recommender" aria-current="page">Recommender</a>' in full

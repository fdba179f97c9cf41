"""Training against a real Postgres: evidence, the gate, statuses, reruns, and no look into the future."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import recommender_world as world
from recommender_world import D
from sqlalchemy import Engine

from include.features import build_features
from include.recommender import TrainingSummary, registry, train_recommender, tune_recommender, tuning
from include.recommender.recipe import Recipe
from include.recommender.shop import read_shop
from include.settings import Settings


@pytest.fixture
def settings_with(make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    return lambda **recommender: make_settings(recommender=world.RECOMMENDER | recommender)


@pytest.fixture
def settings(settings_with: Callable[..., Settings]) -> Settings:
    return settings_with()


@pytest.fixture
def shop(engine: Engine) -> Engine:
    world.open_shop(engine)
    world.land(engine, world.purchases())
    return engine


def train(engine: Engine, settings: Settings, business_date: date = D) -> TrainingSummary:
    build_features(engine, settings, business_date=business_date)
    return train_recommender(engine, settings, business_date=business_date)


def statuses(engine: Engine) -> dict[Any, str]:
    frame = world.rows(engine, "select business_date, status from marketing.models order by business_date")
    return dict(zip(frame["business_date"], frame["status"], strict=True))


def test_first_model_finds_the_planted_shelves_and_says_so(shop: Engine, settings: Settings) -> None:
    summary = train(shop, settings)
    assert (summary.status, summary.shards) == ("champion", [0, 1, 2])
    assert summary.reason.startswith("First model: its nDCG@10 of ")
    assert summary.ndcg_als > 2 * summary.ndcg_popularity
    assert summary.ndcg_served > 2 * summary.ndcg_popularity
    model = world.rows(shop, "select * from marketing.models").iloc[0]
    # A quarter of 60 days is hidden at a time, and something must have come before: three cuts fit.
    assert (model["metrics"]["split"]["cut"], model["metrics"]["split"]["splits"]) == ("2017-11-15", 2)
    figures = model["metrics"]["next_purchase"]
    lists = {name: one for name, one in figures.items() if "ndcg@10" in one}
    assert set(lists) >= {"served", "fused", "als", "ease", "own_frequency", "popularity"}
    assert all(one["low"] < one["ndcg@10"] < one["high"] for one in lists.values())
    assert {one["customers"] for one in lists.values()} == {60}
    assert figures["popularity"]["coverage"] == pytest.approx(10 / 36, abs=1e-6)
    assert sum(group["customers"] for group in figures["groups"].values()) == 60
    assert sum(figures["exposure"].values()) == pytest.approx(1, abs=1e-5)
    assert sum(model["metrics"]["leans_on"]["next_purchase"].values()) <= 1
    configured = Recipe.of_settings(settings.recommender.models, settings.recommender.ranker)
    assert model["parameters"]["recipe"] == configured.as_json()


def test_model_of_a_date_knows_nothing_of_what_came_later(engine: Engine, settings: Settings) -> None:
    world.open_shop(engine)
    world.land(engine, world.purchases(until=D))
    before = train(engine, settings)
    known = world.fingerprint(engine, "models")
    late = [world.event(f"x{n}", world.customer(n), world.item(n % 3, 0), D + timedelta(days=1)) for n in range(60)]
    late[0]["occurred_at"] = "2017-12-01T05:00:00+00:00"  # the first instant after D in New York
    world.land(engine, late)
    assert train(engine, settings) == before
    assert world.fingerprint(engine, "models") == known


def test_history_at_the_cut_knows_nothing_of_the_days_that_judge_it(shop: Engine, settings: Settings) -> None:
    """A shelf that only sells after the cut is a miss for every list, and does not reach popularity."""
    first = train(shop, settings)
    hot = [
        world.event(f"h{n}-{day}", world.customer(n), "hot", D - timedelta(days=day))
        for n in range(60)
        for day in (0, 1)
    ]
    world.land(shop, hot)
    second = train(shop, settings)
    assert second.ndcg_popularity < first.ndcg_popularity
    assert second.ndcg_served < first.ndcg_served


def test_rerun_gives_the_same_row_and_the_same_artifact(shop: Engine, settings: Settings) -> None:
    first = train(shop, settings)
    known = world.fingerprint(shop, "models")
    uri = world.rows(shop, "select artifact_uri from marketing.models")["artifact_uri"].item()
    content = Path(uri).read_bytes()
    assert train(shop, settings) == first
    assert world.fingerprint(shop, "models") == known
    assert Path(uri).read_bytes() == content


def test_one_thread_and_two_make_the_same_model(shop: Engine, settings_with: Callable[..., Settings]) -> None:
    train(shop, settings_with(threads=1))
    known = world.fingerprint(shop, "models")
    train(shop, settings_with(threads=2))
    assert world.fingerprint(shop, "models") == known


def test_same_parameters_are_a_refresh_and_the_former_champion_retires(shop: Engine, settings: Settings) -> None:
    first = train(shop, settings)
    second = train(shop, settings, D + timedelta(days=1))
    assert second.reason.startswith(f"Refresh: same recipe as champion {first.model_id}, fresher data;")
    assert statuses(shop) == {D: "retired", D + timedelta(days=1): "champion"}
    split = world.rows(shop, "select metrics from marketing.models where status = 'champion'")["metrics"].item()[
        "split"
    ]
    assert split["difference_to_champion"]["next_purchase"] == {"mean": 0, "low": 0, "high": 0}


def test_an_earlier_night_run_again_leaves_all_as_it_was(shop: Engine, settings: Settings) -> None:
    for day in range(3):
        train(shop, settings, D + timedelta(days=day))
    known = world.fingerprint(shop, "models")
    for day in (1, 0, 2):
        train(shop, settings, D + timedelta(days=day))
        assert world.fingerprint(shop, "models") == known


PARTS = Recipe().parts
WEAK = {"models": {name: None for name in PARTS if name not in ("attributes", "popularity")}, "ranker": {"rounds": 0}}
"""Knows the customers' shelves, but not what of them they have."""
BLIND = {"models": {name: None for name in PARTS if name != "popularity"}, "ranker": {"rounds": 0}}


def parts_of(model: Any) -> list[str]:
    return [part["part"] for part in model["parameters"]["recipe"]["parts"]]


def test_worse_challenger_is_rejected_and_the_champion_is_fitted_anew(
    shop: Engine, settings: Settings, settings_with: Callable[..., Settings]
) -> None:
    first = train(shop, settings)
    second = train(shop, settings_with(**WEAK), D + timedelta(days=1))
    assert second.status == "champion"
    assert second.reason.startswith("Refresh: ")
    rejected = world.rows(shop, "select * from marketing.models where status = 'rejected'").iloc[0]
    assert rejected["reason"].startswith("Rejected: nDCG@10 differs from champion ")
    assert f"champion {first.model_id} stays" in rejected["reason"]
    assert parts_of(rejected) == ["attributes", "popularity"]
    assert rejected["artifact_uri"] == ""
    champion = world.rows(shop, "select * from marketing.models where status = 'champion'").iloc[0]
    assert parts_of(champion) == list(PARTS)


def test_better_challenger_is_promoted(
    shop: Engine, settings: Settings, settings_with: Callable[..., Settings]
) -> None:
    weak = train(shop, settings_with(**WEAK))
    assert weak.status == "champion"
    strong = train(shop, settings, D + timedelta(days=1))
    assert strong.status == "champion"
    assert strong.reason.startswith(f"Promoted: nDCG@10 differs from champion {weak.model_id} by +")
    assert statuses(shop)[D] == "retired"


def test_where_nothing_beats_popularity_plain_lists_serve_and_the_recipe_competes_again(
    shop: Engine, settings: Settings, settings_with: Callable[..., Settings]
) -> None:
    summary = train(shop, settings_with(**BLIND))
    assert summary.status == "champion"
    assert summary.model_id.startswith("plain-2017-11-30-")
    assert "does not beat popularity" in summary.reason
    assert list(world.rows(shop, "select status from marketing.models order by status")["status"]) == [
        "champion",
        "rejected",
    ]
    again = train(shop, settings, D + timedelta(days=1))
    assert again.model_id.startswith("two_stage-2017-12-01-")
    assert again.reason.startswith(f"Promoted: nDCG@10 differs from champion {summary.model_id} by ")


def test_the_order_is_kept_between_weekly_learnings_and_als_starts_warm(
    shop: Engine, settings_with: Callable[..., Settings]
) -> None:
    settings = settings_with(learn_again_after_days=2)
    learned = []
    for day in range(4):
        train(shop, settings, D + timedelta(days=day))
        newest = "select parameters from marketing.models where status = 'champion'"
        learned.append(world.rows(shop, newest)["parameters"].item()["learned_on"])
    assert learned == ["2017-11-30", "2017-11-30", "2017-12-02", "2017-12-02"]


@pytest.mark.parametrize(
    ("before", "after"),
    [({"evaluation_days": 7}, {}), ({"learning_splits": 1}, {})],
    ids=["fewer days were hidden", "half of the customers of the newest cut taught"],
)
def test_an_order_that_learned_from_what_is_to_judge_it_is_not_kept(
    shop: Engine, settings_with: Callable[..., Settings], before: dict[str, Any], after: dict[str, Any]
) -> None:
    train(shop, settings_with(**before))
    train(shop, settings_with(**after), D + timedelta(days=1))
    newest = "select parameters from marketing.models where status = 'champion'"
    assert world.rows(shop, newest)["parameters"].item()["learned_on"] == "2017-12-01"


def test_a_proposal_that_this_version_cannot_fit_does_not_stop_the_night(shop: Engine, settings: Settings) -> None:
    recipe = Recipe.of_settings(settings.recommender.models, settings.recommender.ranker).as_json()
    recipe["parts"][0]["model"] = "of_another_version"
    with shop.begin() as connection:
        registry.propose(connection, "proposal-2017-11-29-0", D - timedelta(days=1), recipe, {}, "Proposed.")
    assert train(shop, settings).status == "champion"
    proposal = world.rows(shop, "select status from marketing.models where algorithm = 'proposal'")
    assert proposal["status"].item() == "candidate"


def test_artifacts_of_old_models_are_deleted_and_of_others_kept(
    shop: Engine, settings_with: Callable[..., Settings]
) -> None:
    settings = settings_with(kept_models=2)
    for day in range(4):
        train(shop, settings, D + timedelta(days=day))
    uris = world.rows(shop, "select artifact_uri from marketing.models order by business_date")["artifact_uri"]
    assert [Path(uri).exists() for uri in uris] == [False, False, True, True]
    train(shop, settings, D)
    first = world.rows(shop, "select artifact_uri from marketing.models order by business_date")["artifact_uri"][0]
    assert Path(first).exists(), "a night run again can serve, however old it is"


def test_a_proposal_is_judged_by_the_next_night_and_by_no_other(
    shop: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.recommender.tuning.SPACES", {"als": tuning.SPACES["als"]})
    first = train(shop, settings)
    tuned = tune_recommender(shop, settings, minutes=0.05)
    assert (tuned.business_date, tuned.trials > 0) == ("2017-11-30", True)
    assert tuned.model_id, f"nothing better than a factor model of 8 factors: {tuned.reason}"
    proposal = "select * from marketing.models where algorithm = 'proposal'"
    assert world.rows(shop, proposal).iloc[0]["status"] == "candidate"
    again = tune_recommender(shop, settings, minutes=0.01)
    assert again.trials >= tuned.trials
    assert len(world.rows(shop, proposal)) == 1

    second = train(shop, settings, D + timedelta(days=1))
    judged = world.rows(shop, proposal).iloc[0]
    assert judged["metrics"]["judged_on"] == "2017-12-01"
    assert judged["status"] in ("retired", "rejected")
    challenger = world.rows(
        shop, "select * from marketing.models where parameters ->> 'origin' = 'tuning' and business_date = '2017-12-01'"
    ).iloc[0]
    assert challenger["parameters"]["recipe"] == judged["parameters"]["recipe"]
    assert f"champion {first.model_id}" in challenger["reason"]
    known = world.fingerprint(shop, "models")
    assert train(shop, settings, D + timedelta(days=1)) == second
    assert world.fingerprint(shop, "models") == known
    third = train(shop, settings, D + timedelta(days=2))
    assert third.reason.startswith("Refresh: ")


def test_tuning_before_any_night_says_so(shop: Engine, settings: Settings) -> None:
    with pytest.raises(ValueError, match="interactions is empty: run a night first"):
        tune_recommender(shop, settings, minutes=0.01)


def test_setting_that_no_model_knows_is_refused_by_name(
    shop: Engine, settings: Settings, settings_with: Callable[..., Settings]
) -> None:
    build_features(shop, settings, business_date=D)
    for wrong, why in (
        ({"models": {"asl": {"factors": 3}}}, "recommender.models has no part 'asl': the parts are own_history"),
        ({"models": {"als": {"factor": 3}}}, "recommender.models.als has no 'factor': it knows half_life_days"),
        (
            {"models": {"als": {"factors": "many"}}},
            "recommender.models.als.factors is 'many': it must be a whole number",
        ),
        ({"models": {"als": {"factors": 0}}}, "recommender.models.als.factors is 0: it must be above 0"),
        ({"models": {"als": {"transform": "sqrt"}}}, "is 'sqrt': it must be one of raw, root, log, binary"),
        ({"models": {"popularity": {"half_life_days": -3}}}, "popularity.half_life_days is -3: it must be above 0"),
        ({"ranker": {"feature_share": 2}}, "feature_share is 2: it must be at most 1"),
        ({"models": {"als": {"alpha": float("nan")}}}, "als.alpha is nan: it must be a finite number"),
        ({"models": {"ease": {"half_life_days": float("inf")}}}, "half_life_days is inf: it must be a finite number"),
        ({"ranker": {"leaves": 1}}, "leaves is 1: it must be at least 2"),
        ({"models": {"popularity": None}}, "leaves out popularity"),
        ({"ranker": {"round": 3}}, "recommender.ranker has no 'round'"),
    ):
        with pytest.raises(ValueError, match=why):
            train_recommender(shop, settings_with(**wrong), business_date=D)


def test_new_shop_has_its_first_model_unjudged(shop: Engine, settings: Settings) -> None:
    opening = D - timedelta(days=world.HISTORY_DAYS - 1)
    first = train(shop, settings, opening)
    assert first.status == "champion"
    assert first.reason.startswith("First model, not judged: history is too short to split")
    assert first.ndcg_als is None
    metrics = world.rows(shop, "select metrics from marketing.models")["metrics"].item()
    assert "too short" in metrics["split"]["why_not"]


def test_interactions_of_another_date_are_refused_by_name(shop: Engine, settings: Settings) -> None:
    build_features(shop, settings, business_date=D)
    with pytest.raises(ValueError, match=r"built for 2017-11-30, not for 2017-12-01: clear .* build_features"):
        train_recommender(shop, settings, business_date=D + timedelta(days=1))
    world.execute(shop, "delete from marketing.interaction_totals")
    with pytest.raises(ValueError, match=r"interactions is empty .* run build_features for 2017-12-01"):
        train_recommender(shop, settings, business_date=D + timedelta(days=1))


def test_no_more_shards_than_customers(shop: Engine, settings_with: Callable[..., Settings]) -> None:
    assert train(shop, settings_with(shards=500)).shards == list(range(60))


def test_history_counts_an_event_type_once_a_day_and_remembers_what_was_returned(
    shop: Engine, settings: Settings
) -> None:
    c = world.customer(0)
    days_with_it = {"p1": world.item(2, 2), "v1": world.item(1, 1)}
    world.land(
        shop,
        [
            world.event("v1", c, days_with_it["v1"], D, "view"),
            world.event("v2", c, days_with_it["v1"], D, "view"),
            world.event("s1", c, world.item(1, 2), D, "search"),
            world.event("p1", c, days_with_it["p1"], D - timedelta(days=9)),
            world.event("r2", c, days_with_it["p1"], D - timedelta(days=9), "return"),
        ],
    )
    with shop.connect() as connection:
        read = read_shop(connection, settings, D)
    assert read.target == "purchase"
    row = read.history.weights().getrow(read.customers.get_loc(c))
    known = read.history.known.getrow(read.customers.get_loc(c))
    viewed, returned = (read.items.ids.get_loc(item) for item in (days_with_it["v1"], days_with_it["p1"]))
    assert (row[0, viewed], known[0, viewed]) == (pytest.approx(0.1), 0)
    assert (row[0, returned], known[0, returned]) == (0, 1)
    assert row[0, read.items.ids.get_loc(world.item(1, 2))] == 0


def test_a_purchase_counts_as_bought_whatever_is_foretold(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    c, never = world.customer(0), world.item(1, 3)
    world.land(shop, [world.event("v1", c, never, D, "view")])
    settings = make_settings(recommender=world.RECOMMENDER | {"target_event": "view"})
    with shop.connect() as connection:
        read = read_shop(connection, settings, D)
    assert read.target == "view"
    known = read.history.known.getrow(read.customers.get_loc(c))
    named = set(read.items.ids[known.indices])
    bought = world.rows(
        shop, "select distinct item_id from marketing.events where customer_id = :c and event_type = 'purchase'", c=c
    )
    assert named == {*bought["item_id"], never}


@pytest.mark.parametrize(("event_type", "counts"), [("rating", 1.0), ("view", 0.1)])
def test_where_nobody_buys_something_else_is_foretold(
    shop: Engine, settings: Settings, event_type: str, counts: float
) -> None:
    world.execute(shop, "update marketing.events set event_type = :event_type", event_type=event_type)
    summary = train(shop, settings)
    assert summary.ndcg_served > 2 * summary.ndcg_popularity
    assert world.rows(shop, "select metrics from marketing.models")["metrics"].item()["split"]["foretold"] == event_type
    with shop.connect() as connection:
        assert set(read_shop(connection, settings, D).history.weight) == {counts}

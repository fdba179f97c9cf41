"""Training against a real Postgres: evidence, the gate, statuses, reruns, and no look into the future."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recommender_world as world
from recommender_world import D
from sqlalchemy import Engine

from include.features import build_features
from include.recommender import TrainingSummary, reading, train_recommender
from include.recommender.als import ModelParameters
from include.recommender.splitting import Activity, weigh
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
    assert model["metrics"]["split"]["cut"] == "2017-11-23"
    assert model["metrics"]["split"]["customers"] == 60
    figures = model["metrics"]["next_purchase"]
    assert set(figures) == {"served", "als", "own_frequency", "popularity"}
    assert all(one["low"] < one["ndcg@10"] < one["high"] for one in figures.values())
    assert figures["popularity"]["coverage"] == pytest.approx(10 / 36, abs=1e-6)
    assert model["parameters"] == ModelParameters.of(settings).as_json()


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
    assert second.reason.startswith(f"Refresh: same parameters as champion {first.model_id}, fresher data;")
    assert statuses(shop) == {D: "retired", D + timedelta(days=1): "champion"}
    split = world.rows(shop, "select metrics from marketing.models where status = 'champion'")["metrics"].item()[
        "split"
    ]
    assert split["difference_to_champion"] == {"mean": 0, "low": 0, "high": 0}


def test_an_earlier_night_run_again_leaves_all_as_it_was(shop: Engine, settings: Settings) -> None:
    for day in range(3):
        train(shop, settings, D + timedelta(days=day))
    known = world.fingerprint(shop, "models")
    for day in (1, 0, 2):
        train(shop, settings, D + timedelta(days=day))
        assert world.fingerprint(shop, "models") == known


def test_worse_challenger_is_rejected_and_the_champion_stays(
    shop: Engine, settings: Settings, settings_with: Callable[..., Settings]
) -> None:
    first = train(shop, settings)
    challenger = train(shop, settings_with(factors=2, iterations=2), D + timedelta(days=1))
    assert challenger.status == "rejected"
    assert challenger.reason.startswith("Rejected: ")
    assert f"champion {first.model_id} stays" in challenger.reason
    assert statuses(shop)[D] == "champion"


def test_better_challenger_with_other_parameters_is_promoted(
    shop: Engine, settings: Settings, settings_with: Callable[..., Settings]
) -> None:
    weak = train(shop, settings_with(factors=3, iterations=3))
    assert weak.status == "champion"
    strong = train(shop, settings, D + timedelta(days=1))
    assert strong.status == "champion"
    assert strong.reason.startswith(f"Promoted: nDCG@10 differs from champion {weak.model_id} by +")
    assert statuses(shop)[D] == "retired"


def test_other_weighting_of_interactions_is_another_set_of_parameters(
    shop: Engine, settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    train(shop, settings)
    other = make_settings(recommender=world.RECOMMENDER, features={"half_life_days": 20})
    assert not train(shop, other, D + timedelta(days=1)).reason.startswith("Refresh")


def test_model_that_does_not_beat_popularity_never_serves(
    shop: Engine, settings_with: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A model that learned nothing: what a weak one lists hangs on the last bits.
    monkeypatch.setattr(
        "include.recommender.als.fit_item_factors",
        lambda weights, parameters, threads: np.zeros((weights.shape[1], parameters.factors), np.float32),
    )
    summary = train(shop, settings_with(factors=1))
    assert summary.status == "rejected"
    assert "does not beat popularity" in summary.reason
    assert "no model is in force" in summary.reason


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


def test_evaluation_weighs_history_as_the_features_do(shop: Engine, settings: Settings) -> None:
    c, i = world.customer(0), world.item(0, 0)
    world.land(
        shop,
        [
            world.event("r1", c, i, D - timedelta(days=1), "return"),
            world.event("v1", c, world.item(1, 1), D, "view"),
            world.event("v2", c, world.item(1, 1), D, "view"),
            world.event("p1", c, world.item(2, 2), D - timedelta(days=9)),
            world.event("r2", c, world.item(2, 2), D - timedelta(days=9), "return"),
        ],
    )
    build_features(shop, settings, business_date=D)
    with shop.connect() as connection:
        built = reading.read(connection, "select_interactions")
        bounds = {"business_time_zone": "America/New_York", "end_of_day": "2017-12-01T05:00:00+00:00"}
        activity = Activity.of(reading.read(connection, "select_activity", bounds))
    features = settings.features
    ours = weigh(activity, D, features.half_life_days, features.event_weights)
    theirs = reading.to_pairs(built, ours.customers, ours.items)
    np.testing.assert_array_equal(ours.weights.toarray(), theirs.weights.toarray())
    returned = (ours.customers.get_loc(c), ours.items.get_loc(world.item(2, 2)))
    assert ours.weights[returned] == 0
    assert ours.bought[returned] == 1

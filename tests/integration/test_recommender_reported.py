"""What training writes is what the page on the recommender reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import recommender_world as world
from fastapi.testclient import TestClient
from recommender_world import D
from sqlalchemy import Engine

from include.features import build_features
from include.recommender import train_recommender
from include.reporting.pages import create_app
from include.reporting.recommender_data import recommender_report
from include.settings import Settings


def test_a_trained_model_is_shown_with_every_figure(
    engine: Engine, database_url: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(recommender=world.RECOMMENDER)
    world.open_shop(engine)
    world.land(engine, world.purchases())
    build_features(engine, settings, business_date=D)
    summary = train_recommender(engine, settings, business_date=D)
    model = recommender_report(engine).in_force
    assert model is not None
    assert (model.model_id, model.business_date, model.learned_on) == (summary.model_id, D, D)
    assert (model.origin, model.reason) == ("settings", summary.reason)
    assert (model.judging.cut, model.judging.end) == (D - timedelta(days=15), D)
    assert (model.judging.in_time, model.judging.foretold, model.judging.differences) == (True, "purchase", {})
    figures = model.purposes[0]
    assert (figures.purpose, figures.customers, figures.lists[0].name) == ("next_purchase", 60, "served")
    assert figures.lists[0].ndcg.value == summary.ndcg_served
    assert all(found.ndcg.has_interval and found.recall is not None for found in figures.lists)
    assert sum(group.customers for group in figures.groups) == sum(group.customers for group in figures.segments) == 60
    assert sum(figures.exposure.values()) == pytest.approx(1, abs=1e-5)
    assert len(figures.frontier) == 7
    assert figures.leans_on

    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", database_url)
    monkeypatch.setenv("LAMPLIGHTER_BUSINESS_TIME_ZONE", "America/New_York")
    page = TestClient(create_app(lambda: None)).get("/recommender").text
    assert f"In force: {summary.model_id}" in page
    assert 'id="figure-accuracy-next-purchase"' in page
    assert 'id="figure-frontier-next-purchase"' in page

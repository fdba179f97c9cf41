"""A shop where nobody has bought or looked at an item yet: every stage of its night, from files to reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import recommender_world as world
from recommender_world import D
from sqlalchemy import Engine

from include.features import build_features
from include.landing import load_landing_files
from include.quality import check_data_quality
from include.recommender import generate_recommendations, publish_recommendations, train_recommender
from include.reporting import compute_reports
from include.scheduling import learn_responses, learn_send_times, schedule_messages
from include.settings import Settings

CUSTOMERS = [f"c{number}" for number in range(12)]
ITEMS = [{"item_id": f"i{number}", "title": f"Item {number}", "category": "tea", "price": 3} for number in range(5)]
AT = f"{D}T10:00:00-05:00"


def event(number: int, event_type: str, **fields: Any) -> dict[str, Any]:
    customer = CUSTOMERS[number % len(CUSTOMERS)]
    return {"event_id": str(number), "event_type": event_type, "customer_id": customer, "occurred_at": AT, **fields}


EVENTS = {
    "searches": [event(number, "search", query="tea") for number in range(30)],
    "returns": [event(number, "return", item_id=f"i{number % 5}", quantity=1, unit_price=3) for number in range(30)],
    "visits without an item": [event(number, "view") for number in range(30)],
}


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(recommender=world.RECOMMENDER | {"list_length": 4})


def land(settings: Settings, **tables: list[dict[str, Any]]) -> None:
    for table, rows in tables.items():
        file = Path(settings.landing) / table / D.isoformat() / "rows.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(map(json.dumps, rows)))


def open_shop(settings: Settings, events: list[dict[str, Any]]) -> None:
    campaign = {"campaign_id": "welcome", "name": "Welcome", "channels": ["email"]}
    tomorrow = (D + timedelta(days=1)).isoformat()
    land(
        settings,
        customers=[{"customer_id": name, "email": f"{name}@shop.example"} for name in CUSTOMERS],
        items=ITEMS,
        events=events,
        consents=[{"customer_id": name, "channel": "email", "granted": True, "occurred_at": AT} for name in CUSTOMERS],
        campaigns=[campaign | {"starts_on": tomorrow, "ends_on": tomorrow}],
    )


@pytest.mark.parametrize("events", EVENTS.values(), ids=EVENTS.keys())
def test_a_whole_night_serves_popularity_and_plans_messages(
    engine: Engine, settings: Settings, events: list[dict[str, Any]]
) -> None:
    open_shop(settings, events)
    load_landing_files(engine, settings, business_date=D)
    check_data_quality(engine, settings, business_date=D)
    assert build_features(engine, settings, business_date=D).interactions == 0
    for _ in range(2):
        trained = train_recommender(engine, settings, business_date=D)
        assert (trained.status, trained.ndcg_als) == ("champion", None)
        assert trained.reason == (
            "Own history, favourites and popularity serve, without a ranker. Rejected: nothing to learn from, since up "
            "to 2017-11-30 no customer has done anything with an item that counts; no model is in force and lists fall "
            "back to popularity."
        )
        for shard in trained.shards:
            generate_recommendations(engine, settings, business_date=D, shard=shard)
        published = publish_recommendations(engine, settings, business_date=D)
        assert (published.model_id, published.customers) == (trained.model_id, len(CUSTOMERS))
        assert trained.model_id.startswith("plain-2017-11-30-")
    lists = world.rows(engine, "select * from marketing.recommendations")
    assert set(lists["strategy"]) == {"popularity"}
    assert (lists[lists["purpose"] == "next_purchase"].groupby("customer_id").size() == 4).all()
    learn_send_times(engine, settings, business_date=D)
    learn_responses(engine, settings, business_date=D)
    schedule_messages(engine, settings, business_date=D)
    planned = world.rows(engine, "select content from marketing.messages where state = 'planned'")
    assert len(planned) > 0
    assert all(content["items"] for content in planned["content"])
    compute_reports(engine, settings, business_date=D)


def test_the_model_of_a_former_run_of_the_date_gives_way(engine: Engine, settings: Settings) -> None:
    """As after a mended file: what was bought by mistake is gone, and so is the model that learned from it."""
    open_shop(settings, [event(number, "purchase", item_id="i1", quantity=1, unit_price=3) for number in range(30)])
    for name in ("two_stage", "plain"):
        load_landing_files(engine, settings, business_date=D)
        build_features(engine, settings, business_date=D)
        assert train_recommender(engine, settings, business_date=D).model_id.startswith(name)
        land(settings, events=EVENTS["searches"])
    models = world.rows(engine, "select algorithm, status from marketing.models order by algorithm")
    assert list(models.itertuples(index=False, name=None)) == [("plain", "champion"), ("two_stage", "rejected")]

"""Rolling back against a real Postgres: who is champion then, which lists are published, and what later nights do."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import recommender_world as world
from recommender_world import D
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from include.db import server
from include.db.locks import lock
from include.features import build_features
from include.recommender import (
    RollBackRefused,
    RollBackSummary,
    choose_model,
    generate_recommendations,
    publish,
    publish_recommendations,
    registry,
    roll_back_model,
    train_recommender,
)
from include.recommender.artifact import ArtifactError
from include.recommender.publish import DraftsIncomplete
from include.settings import Settings

TODAY = date(2017, 12, 5)
NIGHTS = [D + timedelta(days=day) for day in range(3)]
ROW = ["customer_id", "purpose", "rank", "item_id", "score", "strategy", "reason_item_id", "model_id"]


_numbers = itertools.count(1)


@dataclass(frozen=True)
class ThreeNights:
    """A database with three nights, each with a model of its own that was promoted, and where their artifacts are."""

    database: str
    artifacts: str


@pytest.fixture(scope="module")
def three_nights(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> ThreeNights:
    made = ThreeNights("three_nights", str(tmp_path_factory.mktemp("artifacts")))
    _copy_database(postgres, "template", made.database)
    url = server.ensure_database(postgres, made.database)
    fields: dict[str, Any] = {
        "database_url": url,
        "artifacts": made.artifacts,
        "business_time_zone": "America/New_York",
        "recommender": world.RECOMMENDER,
    }
    settings = Settings(**fields)
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    world.open_shop(engine)
    world.land(engine, world.purchases())
    for business_date in NIGHTS:
        world.night(engine, settings, business_date)
    engine.dispose()
    return made


@pytest.fixture
def database_url(postgres: Path, three_nights: ThreeNights) -> Iterator[str]:
    """URL of a copy of the three nights, of this test's own."""
    name = f"roll_back_{next(_numbers)}"
    _copy_database(postgres, three_nights.database, name)
    yield server.ensure_database(postgres, name)
    _administer(postgres, f"drop database {name} with (force)")


@pytest.fixture
def settings(make_settings: Callable[..., Settings], three_nights: ThreeNights) -> Settings:
    return make_settings(recommender=world.RECOMMENDER, artifacts=three_nights.artifacts)


@pytest.fixture
def shop(engine: Engine) -> Engine:
    return engine


def _copy_database(postgres: Path, template: str, name: str) -> None:
    _administer(postgres, f"create database {name} template {template}")


def _administer(postgres: Path, statement: str) -> None:
    administration = create_engine(server.ensure_database(postgres, "postgres"), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(statement))
    administration.dispose()


def roll_back(engine: Engine, settings: Settings, model_id: str | None = None) -> RollBackSummary:
    return roll_back_model(engine, settings, model_id=model_id, rolled_back_on=TODAY)


def model_of(engine: Engine, business_date: date) -> str:
    query = "select model_id from marketing.models where business_date = :date and algorithm <> 'forecast'"
    return str(world.rows(engine, query, date=business_date)["model_id"].item())


def statuses(engine: Engine) -> list[str]:
    return world.rows(engine, "select status from marketing.models order by business_date")["status"].to_list()


def lists(engine: Engine, business_date: date) -> pd.DataFrame:
    query = "select * from marketing.recommendations where business_date = :date order by customer_id, purpose, rank"
    return world.rows(engine, query, date=business_date)[ROW]


def state(engine: Engine) -> dict[str, str]:
    return {table: world.fingerprint(engine, table) for table in ("models", "recommendations")}


def unpublish(engine: Engine, condition: str, **values: Any) -> None:
    world.execute(engine, f"delete from marketing.recommendations where {condition}", **values)


def test_the_model_before_the_champion_and_its_lists_are_in_force_again(shop: Engine, settings: Settings) -> None:
    first, second, third = (model_of(shop, night) for night in NIGHTS)
    before = {night: lists(shop, night) for night in NIGHTS}
    known = world.rows(shop, "select reason from marketing.models order by business_date")["reason"].to_list()
    assert not before[NIGHTS[1]].equals(before[NIGHTS[2]])

    summary = roll_back(shop, settings)
    assert summary == RollBackSummary(second, [third], "2017-12-02", "2017-12-01", 60, 1200, 0, rolled_back_now=True)
    assert statuses(shop) == ["retired", "champion", "rejected"]
    reasons = world.rows(shop, "select reason from marketing.models order by business_date")["reason"].to_list()
    assert reasons == [*known[:2], f"{known[2]} Taken out of force by hand on 2017-12-05, in favour of {second}."]
    pd.testing.assert_frame_equal(lists(shop, NIGHTS[2]), before[NIGHTS[1]])
    for night in NIGHTS[:2]:
        pd.testing.assert_frame_equal(lists(shop, night), before[night])
    shown = world.rows(shop, "select distinct business_date, model_id from marketing.current_recommendations")
    assert shown.to_numpy().tolist() == [[NIGHTS[2], second]]
    assert first != second


def test_a_named_model_further_back_rejects_all_that_came_after_it(shop: Engine, settings: Settings) -> None:
    first, second, third = (model_of(shop, night) for night in NIGHTS)
    before = lists(shop, D)
    assert roll_back(shop, settings, first).rejected == [third, second]
    assert statuses(shop) == ["champion", "rejected", "rejected"]
    pd.testing.assert_frame_equal(lists(shop, NIGHTS[2]), before)


def test_step_by_step_ends_where_one_step_does(shop: Engine, settings: Settings) -> None:
    before = lists(shop, D)
    roll_back(shop, settings)
    assert roll_back(shop, settings).lists_of == "2017-11-30"
    assert statuses(shop) == ["champion", "rejected", "rejected"]
    pd.testing.assert_frame_equal(lists(shop, NIGHTS[2]), before)


def test_again_with_the_same_model_changes_nothing_and_says_so(
    shop: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    second = model_of(shop, NIGHTS[1])
    roll_back(shop, settings, second)
    known = state(shop)
    with caplog.at_level("INFO"):
        again = roll_back(shop, settings, second)
    assert again == RollBackSummary(second, [], None, None, 0, 0, 0, rolled_back_now=False)
    assert f"{second} is the champion already: nothing to do" in caplog.text
    assert state(shop) == known


def test_the_choice_names_a_model_once_and_changes_nothing(shop: Engine, settings: Settings) -> None:
    known = state(shop)
    assert choose_model(shop, settings, model_id=None).model_id == model_of(shop, NIGHTS[1])
    assert choose_model(shop, settings, model_id=model_of(shop, D)).model_id == model_of(shop, D)
    with pytest.raises(RollBackRefused, match="no model als-x is known"):
        choose_model(shop, settings, model_id="als-x")
    assert state(shop) == known


def test_an_unknown_model_is_refused_with_the_newest_that_are_known(shop: Engine, settings: Settings) -> None:
    world.execute(
        shop,
        """
        insert into marketing.models
        select
            'old-' || lpad(cast(n as text), 2, '0'), algorithm, business_date - n, 'retired', parameters, metrics,
            artifact_uri, artifact_sha256, reason
        from marketing.models, generate_series(1, 12) as n
        where business_date = '2017-11-30'
        """,
    )
    known = state(shop)
    with pytest.raises(RollBackRefused) as refused:
        roll_back(shop, settings, "als-2017")
    newest = [*(model_of(shop, night) for night in reversed(NIGHTS)), *(f"old-{n:02}" for n in range(1, 8))]
    assert str(refused.value) == (
        f"no model als-2017 is known; the newest that can be put in force: {', '.join(newest)}"
    )
    assert state(shop) == known


def test_a_model_the_gate_rejected_is_refused_with_its_reason(shop: Engine, settings: Settings) -> None:
    second = model_of(shop, NIGHTS[1])
    world.execute(
        shop,
        "update marketing.models set status = 'rejected', reason = 'Rejected: too weak.' where model_id = :id",
        id=second,
    )
    known = state(shop)
    with pytest.raises(RollBackRefused, match=f"{second} is rejected and .* Its reason: Rejected: too weak\\."):
        roll_back(shop, settings, second)
    assert state(shop) == known
    assert choose_model(shop, settings, model_id=None).model_id == model_of(shop, D)


def test_a_model_taken_out_of_force_is_no_way_forward(shop: Engine, settings: Settings) -> None:
    third = model_of(shop, NIGHTS[2])
    roll_back(shop, settings)
    with pytest.raises(RollBackRefused, match=f"{third} is rejected .* Taken out of force by hand on 2017-12-05"):
        roll_back(shop, settings, third)


def test_without_an_earlier_model_nothing_can_be_rolled_back(shop: Engine, settings: Settings) -> None:
    first = model_of(shop, D)
    roll_back(shop, settings, first)
    known = state(shop)
    with pytest.raises(RollBackRefused, match=f"no promoted model is older than the champion {first}"):
        roll_back(shop, settings)
    assert state(shop) == known


def test_without_any_model_in_force_it_is_refused(shop: Engine, settings: Settings) -> None:
    world.execute(shop, "update marketing.models set status = 'rejected'")
    for model_id in (None, model_of(shop, D)):
        with pytest.raises(RollBackRefused, match="no model is in force"):
            roll_back(shop, settings, model_id)


def test_a_model_of_another_kind_is_neither_chosen_nor_changed(shop: Engine, settings: Settings) -> None:
    world.execute(
        shop,
        """
        insert into marketing.models
        select 'forecast-' || n, 'forecast', '2017-12-01', status, '{}', '{}', '', '', 'Its own.'
        from unnest(array['champion', 'rejected']) with ordinality as one (status, n)
        """,
    )
    forecasts = "select * from marketing.models where algorithm = 'forecast' order by model_id"
    known = world.rows(shop, forecasts)
    for model_id in ("forecast-1", "forecast-2"):
        with pytest.raises(RollBackRefused, match=f"no model {model_id} is known"):
            roll_back(shop, settings, model_id)
    roll_back(shop, settings, model_of(shop, D))
    build_features(shop, settings, business_date=NIGHTS[1])
    train_recommender(shop, settings, business_date=NIGHTS[1])
    pd.testing.assert_frame_equal(world.rows(shop, forecasts), known)


def test_another_algorithm_of_recommender_is_rolled_back_alike(shop: Engine, settings: Settings) -> None:
    first, _, third = (model_of(shop, night) for night in NIGHTS)
    world.execute(shop, "update marketing.models set algorithm = 'two_stage' where model_id <> :id", id=first)
    assert third in roll_back(shop, settings, first).rejected
    assert statuses(shop) == ["champion", "rejected", "rejected"]


def test_a_missing_or_broken_artifact_changes_nothing(shop: Engine, settings: Settings, tmp_path: Path) -> None:
    query = "select artifact_uri from marketing.models where business_date = '2017-12-01'"
    artifact = tmp_path / "own.npz"
    shutil.copy(world.rows(shop, query)["artifact_uri"].item(), artifact)
    world.execute(
        shop, "update marketing.models set artifact_uri = :uri where business_date = '2017-12-01'", uri=str(artifact)
    )
    content, known = artifact.read_bytes(), state(shop)
    artifact.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=f"{artifact} is corrupt"):
        roll_back(shop, settings)
    artifact.unlink()
    with pytest.raises(ArtifactError, match=f"{artifact} is missing"):
        roll_back(shop, settings)
    assert state(shop) == known
    artifact.write_bytes(content)
    assert roll_back(shop, settings).rolled_back_now


def test_a_model_that_never_published_is_refused(shop: Engine, settings: Settings) -> None:
    second = model_of(shop, NIGHTS[1])
    unpublish(shop, "model_id = :id", id=second)
    known = state(shop)
    with pytest.raises(RollBackRefused, match=f"{second} has no published lists to put back"):
        roll_back(shop, settings)
    assert state(shop) == known


def test_lists_of_nobody_who_is_served_now_are_refused(shop: Engine, settings: Settings) -> None:
    second = model_of(shop, NIGHTS[1])
    unpublish(shop, "business_date = '2017-12-01' and customer_id <> 'c00'")
    unpublish(shop, "business_date = '2017-12-02' and customer_id = 'c00'")
    known = state(shop)
    with pytest.raises(RollBackRefused, match=f"{second} last published for 2017-12-01, for none of the customers"):
        roll_back(shop, settings)
    assert state(shop) == known


def test_whoever_came_later_keeps_no_list_of_a_rejected_model(shop: Engine, settings: Settings) -> None:
    """c00 and c01 came on the last night, c02 has left since; c01 was served without a model."""
    second = model_of(shop, NIGHTS[1])
    unpublish(shop, "business_date = '2017-12-01' and customer_id in ('c00', 'c01')")
    unpublish(shop, "business_date = '2017-12-02' and customer_id = 'c02'")
    world.execute(
        shop,
        "update marketing.recommendations set model_id = 'none'"
        " where business_date = '2017-12-02' and customer_id = 'c01'",
    )
    of_nobody = lists(shop, NIGHTS[2]).query("customer_id == 'c01'")

    summary = roll_back(shop, settings)
    assert (summary.customers, summary.rows, summary.customers_without_lists) == (57, 57 * 20, 1)
    published = lists(shop, NIGHTS[2])
    assert not {"c00", "c02"} & set(published["customer_id"])
    assert published.query("customer_id == 'c01'").to_numpy().tolist() == of_nobody.to_numpy().tolist()
    assert set(published.query("customer_id != 'c01'")["model_id"]) == {second}


def test_a_list_of_a_model_still_promoted_is_kept(shop: Engine, settings: Settings) -> None:
    """As after a roll back: the latest date has lists of an older model for one customer."""
    first = model_of(shop, D)
    unpublish(shop, "business_date = '2017-12-01' and customer_id = 'c00'")
    world.execute(
        shop,
        "update marketing.recommendations set model_id = :id"
        " where business_date = '2017-12-02' and customer_id = 'c00'",
        id=first,
    )
    summary = roll_back(shop, settings)
    assert (summary.customers, summary.customers_without_lists) == (59, 0)
    assert set(lists(shop, NIGHTS[2]).query("customer_id == 'c00'")["model_id"]) == {first}


def test_a_list_shorter_than_the_one_it_replaces_leaves_no_row_of_it(shop: Engine, settings: Settings) -> None:
    unpublish(shop, "business_date = '2017-12-01' and customer_id = 'c00' and (purpose = 'discovery' or rank > 3)")
    roll_back(shop, settings)
    published = lists(shop, NIGHTS[2]).query("customer_id == 'c00'")
    assert published[["purpose", "rank"]].to_numpy().tolist() == [["next_purchase", rank] for rank in (1, 2, 3)]


def test_a_champion_that_never_published_leaves_the_lists_as_they_are(shop: Engine, settings: Settings) -> None:
    """Its night broke after training: what is published is already the earlier model's."""
    second = model_of(shop, NIGHTS[1])
    unpublish(shop, "business_date = '2017-12-02'")
    known = world.fingerprint(shop, "recommendations")
    summary = roll_back(shop, settings)
    assert (summary.model_id, summary.business_date, summary.lists_of) == (second, "2017-12-01", "2017-12-01")
    assert (summary.customers, summary.rows, summary.customers_without_lists) == (60, 0, 0)
    assert statuses(shop) == ["retired", "champion", "rejected"]
    assert world.fingerprint(shop, "recommendations") == known


def test_all_or_nothing_when_the_lists_cannot_be_written(shop: Engine, settings: Settings) -> None:
    known = state(shop)
    world.execute(
        shop,
        """
        create function marketing.die() returns trigger language plpgsql as $$
        begin
            if new.rank = 7 then perform pg_terminate_backend(pg_backend_pid()); end if;
            return new;
        end $$
        """,
    )
    world.execute(
        shop,
        "create trigger die before insert on marketing.recommendations for each row execute function marketing.die()",
    )
    with pytest.raises(SQLAlchemyError, match="connection"):
        roll_back(shop, settings)
    assert state(shop) == known
    world.execute(shop, "drop trigger die on marketing.recommendations")
    assert roll_back(shop, settings).rolled_back_now


@pytest.mark.parametrize("name", [publish.LOCK_NAME, registry.LOCK_NAME], ids=["publishing", "registering"])
def test_it_waits_for_whoever_publishes_or_registers(shop: Engine, settings: Settings, name: str) -> None:
    done = threading.Event()

    def run() -> None:
        roll_back(shop, settings)
        done.set()

    with shop.begin() as connection:
        lock(connection, name)
        waiting = threading.Thread(target=run)
        waiting.start()
        assert not done.wait(0.5)
    waiting.join(timeout=60)
    assert done.is_set()


def test_drafts_of_a_rejected_model_are_not_published(shop: Engine, settings: Settings) -> None:
    for shard in range(3):
        generate_recommendations(shop, settings, business_date=NIGHTS[2], shard=shard)
    second = model_of(shop, NIGHTS[1])
    roll_back(shop, settings)
    known = world.fingerprint(shop, "recommendations")
    with pytest.raises(DraftsIncomplete, match=f"of another model than {second}"):
        publish_recommendations(shop, settings, business_date=NIGHTS[2])
    assert world.fingerprint(shop, "recommendations") == known


def test_generating_again_gives_everybody_fresh_lists_of_the_model(shop: Engine, settings: Settings) -> None:
    unpublish(shop, "business_date = '2017-12-01' and customer_id = 'c00'")
    second = model_of(shop, NIGHTS[1])
    assert roll_back(shop, settings).customers_without_lists == 1
    for shard in range(3):
        generate_recommendations(shop, settings, business_date=NIGHTS[2], shard=shard)
    published = publish_recommendations(shop, settings, business_date=NIGHTS[2])
    assert (published.model_id, published.customers, published.rows) == (second, 60, 1200)
    assert set(lists(shop, NIGHTS[2])["model_id"]) == {second}


def test_the_next_night_compares_with_the_model_rolled_back_to(shop: Engine, settings: Settings) -> None:
    second, third = model_of(shop, NIGHTS[1]), model_of(shop, NIGHTS[2])
    roll_back(shop, settings)
    tomorrow = NIGHTS[2] + timedelta(days=1)
    with shop.connect() as connection:
        before = registry.champion_before(connection, tomorrow)
        in_force = registry.model_in_force(connection, NIGHTS[2])
    assert before is not None
    assert in_force is not None
    assert (before.model_id, in_force.model_id) == (second, second)
    build_features(shop, settings, business_date=tomorrow)
    summary = train_recommender(shop, settings, business_date=tomorrow)
    assert f"champion {second}" in summary.reason
    assert third not in summary.reason
    assert statuses(shop) == ["retired", "retired", "rejected", "champion"]


def test_an_older_night_run_again_leaves_a_rejected_model_rejected(shop: Engine, settings: Settings) -> None:
    roll_back(shop, settings)
    known = world.fingerprint(shop, "models")
    for night in (NIGHTS[1], NIGHTS[0]):
        build_features(shop, settings, business_date=night)
        train_recommender(shop, settings, business_date=night)
        assert world.fingerprint(shop, "models") == known


def test_the_night_of_a_rejected_model_run_again_judges_anew(shop: Engine, settings: Settings) -> None:
    third = model_of(shop, NIGHTS[2])
    roll_back(shop, settings)
    world.night(shop, settings, NIGHTS[2])
    assert statuses(shop) == ["retired", "retired", "champion"]
    assert model_of(shop, NIGHTS[2]) == third
    reason = world.rows(shop, "select reason from marketing.models where model_id = :id", id=third)["reason"].item()
    assert "by hand" not in reason

"""Generation and publication against a real Postgres: what is listed and why, and what kills and retries leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import recommender_world as world
from recommender_world import D
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from include.features import build_features
from include.recommender import generate_recommendations, publish_recommendations, train_recommender
from include.recommender.artifact import ArtifactError
from include.recommender.publish import DraftsIncomplete
from include.recommender.reasons import STRATEGIES
from include.recommender.recipe import Recipe
from include.recommender.shards import shard_of
from include.settings import Settings

LISTS = "select * from marketing.recommendations where business_date = '2017-11-30' order by customer_id, purpose, rank"


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(recommender=world.RECOMMENDER)


@pytest.fixture
def shop(engine: Engine) -> Engine:
    world.open_shop(engine)
    world.land(engine, world.purchases())
    return engine


@pytest.fixture
def trained(shop: Engine, settings: Settings) -> Engine:
    build_features(shop, settings, business_date=D)
    train_recommender(shop, settings, business_date=D)
    return shop


def generate(engine: Engine, settings: Settings, *shards: int) -> None:
    for shard in shards:
        generate_recommendations(engine, settings, business_date=D, shard=shard)


def test_every_customer_has_both_lists_with_strategy_and_reason(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    lists = world.rows(shop, LISTS)
    assert lists["customer_id"].nunique() == world.CUSTOMERS
    ranks = lists.groupby(["customer_id", "purpose"])["rank"].apply(list)
    assert len(ranks) == 2 * world.CUSTOMERS
    assert all(rank == list(range(1, 11)) for rank in ranks)
    assert not lists.duplicated(["customer_id", "purpose", "item_id"]).any()
    assert set(lists["strategy"]) <= set(STRATEGIES.values())

    own = lists[lists["strategy"] == "own_history"]
    assert (own["item_id"] == own["reason_item_id"]).all()
    explained = lists[lists["reason_item_id"].notna() & (lists["strategy"] != "own_history")]
    bought = world.rows(shop, "select customer_id, item_id as reason_item_id from marketing.interactions")
    assert len(explained.merge(bought, on=["customer_id", "reason_item_id"])) == len(explained) > 0
    assert (explained["item_id"] != explained["reason_item_id"]).all()
    assert set(explained["strategy"]) >= {"als", "ease"}
    assert lists[lists["strategy"].isin(["popularity", "trending"])]["reason_item_id"].isna().all()
    assert lists["model_id"].nunique() == 1
    assert world.rows(shop, "select 1 from marketing.recommendation_drafts").empty


def test_next_purchases_stay_on_the_planted_shelf(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    lists = world.rows(shop, LISTS)
    top = lists[(lists["purpose"] == "next_purchase") & (lists["rank"] <= 8)]
    on_shelf = top["item_id"].str[1].astype(int) == top["customer_id"].map(world.shelf_of)
    assert on_shelf.mean() > 0.97
    assert top[top["rank"] == 1]["strategy"].eq("own_history").mean() > 0.9


def test_discovery_first_offers_what_is_left_of_the_own_shelf(shop: Engine, settings: Settings) -> None:
    """Each customer never meets one item of the own shelf: that one, or another not yet bought there, comes first."""
    withhold = """
        delete from marketing.events
        where right(item_id, 2) = lpad(cast(mod(cast(substr(customer_id, 2) as int) / 3, 12) as text), 2, '0')
    """
    world.execute(shop, withhold)
    world.night(shop, settings)
    lists = world.rows(shop, LISTS)
    first = lists[(lists["purpose"] == "discovery") & (lists["rank"] == 1)].set_index("customer_id")["item_id"]
    bought = world.rows(shop, "select customer_id, item_id from marketing.interactions").groupby("customer_id")[
        "item_id"
    ]
    left = {
        c: {world.item(world.shelf_of(c), n) for n in range(world.ITEMS_PER_SHELF)} - set(items) for c, items in bought
    }
    assert all(world.item(world.shelf_of(c), int(c[1:]) // 3 % 12) in left[c] for c in first.index)
    # Offered at random, one in ten or so would lie on the own shelf.
    assert sum(offered in left[c] for c, offered in first.items()) > 0.9 * len(first)


def test_discovery_never_offers_what_was_bought_even_if_returned(shop: Engine, settings: Settings) -> None:
    c = world.customer(0)
    for shelf in range(world.SHELVES):
        back = world.item(shelf, 3)
        days = (D - timedelta(days=20), D - timedelta(days=20))
        world.land(
            shop, [world.event(f"b{shelf}", c, back, days[0]), world.event(f"r{shelf}", c, back, days[1], "return")]
        )
    world.night(shop, settings)
    clash = world.rows(
        shop,
        """
        select * from marketing.recommendations as lists
        where lists.purpose = 'discovery' and exists (
            select 1 from marketing.events
            where events.customer_id = lists.customer_id and events.item_id = lists.item_id
            and events.event_type = 'purchase' and events.occurred_at < '2017-12-01T05:00:00Z'
        )
        """,
    )
    assert clash.empty
    offered = world.rows(shop, LISTS)
    assert len(offered[(offered["customer_id"] == c) & (offered["purpose"] == "discovery")]) == 10


def test_out_of_stock_and_untitled_items_are_not_listed(shop: Engine, settings: Settings) -> None:
    gone = world.item(0, 0)
    world.execute(shop, "update marketing.items set in_stock = false where item_id = :gone", gone=gone)
    untitled = [world.event(f"u{n}", world.customer(n), "untitled", D - timedelta(days=n % 9)) for n in range(60)]
    world.land(shop, untitled)
    world.night(shop, settings)
    lists = world.rows(shop, LISTS)
    assert not {gone, "untitled"} & set(lists["item_id"])
    assert "untitled" not in set(lists["reason_item_id"])
    assert len(lists) == world.CUSTOMERS * 2 * 10


def test_cold_customers_fall_back_and_each_row_says_to_what(shop: Engine, settings: Settings) -> None:
    for cold in ("cold", "keen"):
        world.execute(
            shop, "insert into marketing.customers (customer_id, file_id, row_number) values (:id, 1, 1)", id=cold
        )
    build_features(shop, settings, business_date=D)
    world.execute(
        shop, "update marketing.customer_features set preferred_categories = '{shelf 1}' where customer_id = 'keen'"
    )
    for shard in train_recommender(shop, settings, business_date=D).shards:
        generate_recommendations(shop, settings, business_date=D, shard=shard)
    publish_recommendations(shop, settings, business_date=D)
    lists = world.rows(shop, LISTS)
    popular = world.rows(
        shop,
        """
        select item_id
        from (
            select distinct customer_id, item_id, cast(occurred_at at time zone 'America/New_York' as date) as day
            from marketing.events
            where occurred_at < '2017-12-01T05:00:00Z'
        ) as days
        group by item_id
        order by sum(power(2.0, (day - date '2017-11-30') / 14.0)) desc limit 10
        """,
    )
    cold = lists[lists["customer_id"] == "cold"]
    assert set(cold["strategy"]) == {"popularity"}
    assert list(cold[cold["purpose"] == "next_purchase"]["item_id"]) == list(popular["item_id"])
    keen = lists[(lists["customer_id"] == "keen") & (lists["purpose"] == "discovery")]
    assert set(keen["strategy"]) == {"category_favourites"}
    assert set(keen["item_id"].str[1]) == {"1"}


def test_a_newcomer_gets_what_is_popular_in_the_own_country(shop: Engine, settings: Settings) -> None:
    """Customers of the first shelf live in Peru: who joins there is offered that shelf, others what most buy."""
    world.execute(
        shop,
        "update marketing.customers set country = case when mod(cast(substr(customer_id, 2) as int), 3) = 0 then 'PE' "
        "else 'IS' end",
    )
    for name, country in (("lima", "PE"), ("nowhere", None)):
        world.execute(
            shop,
            "insert into marketing.customers (customer_id, country, file_id, row_number) values (:id, :country, 1, 1)",
            id=name,
            country=country,
        )
    world.night(shop, settings)
    lists = world.rows(shop, LISTS).set_index("customer_id")
    assert set(lists.loc["lima"]["strategy"]) == {"local_popularity"}
    assert set(lists.loc["lima"]["item_id"].str[1]) == {"0"}
    assert set(lists.loc["nowhere"]["strategy"]) == {"popularity"}
    assert len(set(lists.loc["nowhere"]["item_id"].str[1])) > 1


def test_favourites_are_known_by_what_counts_of_a_long_category(shop: Engine, settings: Settings) -> None:
    world.execute(
        shop, "insert into marketing.customers (customer_id, file_id, row_number) values (:id, 1, 1)", id="keen"
    )
    world.execute(shop, "update marketing.items set category = rpad(category, 300, '.')")
    build_features(shop, settings, business_date=D)
    world.execute(
        shop,
        "update marketing.customer_features set preferred_categories = array[rpad('shelf 1', 200, '.')]"
        " where customer_id = 'keen'",
    )
    for shard in train_recommender(shop, settings, business_date=D).shards:
        generate_recommendations(shop, settings, business_date=D, shard=shard)
    publish_recommendations(shop, settings, business_date=D)
    lists = world.rows(shop, LISTS)
    assert set(lists[lists["customer_id"] == "keen"]["strategy"]) == {"category_favourites"}


def test_plain_lists_know_the_own_history_and_the_favourite_categories(
    shop: Engine, make_settings: Callable[..., Settings]
) -> None:
    blind = {"models": {name: None for name in Recipe().parts if name != "popularity"}, "ranker": {"rounds": 0}}
    world.night(shop, make_settings(recommender=world.RECOMMENDER | blind))
    lists = world.rows(shop, LISTS)
    assert lists["model_id"].str.startswith("plain-2017-11-30-").all()
    assert set(lists["strategy"]) <= {"own_history", "category_favourites", "popularity"}
    first = lists[(lists["purpose"] == "next_purchase") & (lists["rank"] == 1)]
    assert set(first["strategy"]) == {"own_history"}
    of_category = lists[(lists["purpose"] == "discovery") & (lists["strategy"] == "category_favourites")]
    assert (of_category["item_id"].str[1].astype(int) == of_category["customer_id"].map(world.shelf_of)).all()
    assert len(of_category) > 0


def test_customer_who_came_after_the_training_is_served_by_the_model(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    newcomer = [world.event(f"n{n}", "newcomer", world.item(2, n), D + timedelta(days=1)) for n in range(3)]
    world.land(shop, newcomer)
    tomorrow = D + timedelta(days=1)
    build_features(shop, settings, business_date=tomorrow)
    for shard in range(3):
        generate_recommendations(shop, settings, business_date=tomorrow, shard=shard)
    offered = world.rows(
        shop,
        "select item_id, model_id, strategy from marketing.recommendation_drafts "
        "where customer_id = 'newcomer' and purpose = 'discovery' and rank <= 5",
    )
    assert not set(offered["strategy"]) & {"popularity", "trending"}
    assert set(offered["item_id"].str[1]) == {"2"}
    assert offered["model_id"].str.startswith("two_stage-2017-11-30-").all()


def test_rerun_publishes_the_same_rows(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    known = {table: world.fingerprint(shop, table) for table in ("models", "recommendations")}
    world.night(shop, settings)
    assert {table: world.fingerprint(shop, table) for table in known} == known


def test_lists_do_not_depend_on_the_number_of_shards(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    """Not even the scores of what fills lists that are too short: what nobody has met yet no model speaks for."""
    world.execute(
        shop,
        "insert into marketing.items (item_id, title, file_id, row_number) "
        "select 'new-' || n, 'New ' || n, 1, 1 from generate_series(1, 3) as n",
    )
    long = world.RECOMMENDER | {"list_length": 40, "ranker": {"rounds": 0}}
    world.night(shop, make_settings(recommender=long))
    filled = world.rows(shop, LISTS)
    assert filled["item_id"].str.startswith("new-").any()
    known = world.fingerprint(shop, "recommendations")
    world.night(shop, make_settings(recommender=long | {"shards": 7}))
    assert world.fingerprint(shop, "recommendations") == known


def test_drafts_of_an_abandoned_night_with_other_shards_give_way(
    trained: Engine, settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    other = make_settings(recommender=world.RECOMMENDER | {"shards": 7})
    generate(trained, other, *range(7))
    generate(trained, settings, 0, 1, 2)
    publish_recommendations(trained, settings, business_date=D)
    assert len(world.rows(trained, LISTS)) == world.CUSTOMERS * 2 * 10


def test_corrupt_and_missing_artifacts_are_refused_by_name(trained: Engine, settings: Settings) -> None:
    uri = world.rows(trained, "select artifact_uri from marketing.models")["artifact_uri"].item()
    content = Path(uri).read_bytes()
    Path(uri).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=f"{uri} is corrupt"):
        generate(trained, settings, 0)
    Path(uri).unlink()
    with pytest.raises(ArtifactError, match=f"{uri} is missing"):
        generate(trained, settings, 0)
    assert world.rows(trained, "select 1 from marketing.recommendation_drafts").empty
    train_recommender(trained, settings, business_date=D)
    assert Path(uri).read_bytes() == content
    generate(trained, settings, 0)


def test_training_again_mends_a_corrupt_artifact(trained: Engine, settings: Settings) -> None:
    uri = world.rows(trained, "select artifact_uri from marketing.models")["artifact_uri"].item()
    content = Path(uri).read_bytes()
    Path(uri).write_bytes(b"broken")
    train_recommender(trained, settings, business_date=D)
    assert Path(uri).read_bytes() == content


def test_missing_shard_stops_publication_by_name_and_keeps_what_was_published(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    known = world.fingerprint(shop, "recommendations")
    generate(shop, settings, 0, 2)
    with pytest.raises(DraftsIncomplete, match=r"for shards 1 of 3; clear generate_recommendations"):
        publish_recommendations(shop, settings, business_date=D)
    assert world.fingerprint(shop, "recommendations") == known
    generate(shop, settings, 1)
    assert publish_recommendations(shop, settings, business_date=D).published_now


def test_nothing_drafted_and_nothing_published_is_an_error(trained: Engine, settings: Settings) -> None:
    with pytest.raises(DraftsIncomplete, match="for shards 0, 1, 2 of 3"):
        publish_recommendations(trained, settings, business_date=D)


def test_drafts_of_another_model_are_not_published(
    trained: Engine, settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    generate(trained, settings, 0, 1, 2)
    train_recommender(
        trained, make_settings(recommender=world.RECOMMENDER | {"ranker": {"rounds": 41}}), business_date=D
    )
    with pytest.raises(DraftsIncomplete, match="of another model than two_stage-2017-11-30-"):
        publish_recommendations(trained, settings, business_date=D)


def test_publishing_again_after_success_changes_nothing(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    known = world.fingerprint(shop, "recommendations")
    again = publish_recommendations(shop, settings, business_date=D)
    assert (again.published_now, again.rows, again.customers) == (False, 1200, 60)
    assert world.fingerprint(shop, "recommendations") == known


def test_other_dates_stay_published(shop: Engine, settings: Settings) -> None:
    world.night(shop, settings)
    world.night(shop, settings, D + timedelta(days=1))
    dates = world.rows(shop, "select business_date, count(*) as n from marketing.recommendations group by 1 order by 1")
    assert list(dates["n"]) == [1200, 1200]


def test_a_shard_that_dies_while_writing_leaves_nothing_and_its_retry_completes(
    shop: Engine, settings: Settings
) -> None:
    world.night(shop, settings)
    known = world.fingerprint(shop, "recommendations")
    generate(shop, settings, 0)
    # The server ends the writer's session in the middle of its COPY, as a killed worker's would end.
    world.execute(
        shop,
        """
        create function marketing.die() returns trigger language plpgsql as $$
        begin
            if new.shard = 1 and new.rank = 7 then perform pg_terminate_backend(pg_backend_pid()); end if;
            return new;
        end $$
        """,
    )
    world.execute(
        shop,
        "create trigger die before insert on marketing.recommendation_drafts "
        "for each row execute function marketing.die()",
    )
    with pytest.raises(SQLAlchemyError, match="connection"):
        generate(shop, settings, 1)
    assert set(world.rows(shop, "select shard from marketing.recommendation_drafts")["shard"]) == {0}
    world.execute(shop, "drop trigger die on marketing.recommendation_drafts")
    generate(shop, settings, 1, 2)
    publish_recommendations(shop, settings, business_date=D)
    assert world.fingerprint(shop, "recommendations") == known


def test_shards_are_disjoint_whole_and_named_when_unknown(trained: Engine, settings: Settings) -> None:
    generate(trained, settings, 0, 1, 2)
    drafts = world.rows(trained, "select distinct customer_id, shard from marketing.recommendation_drafts")
    assert len(drafts) == world.CUSTOMERS
    assert all(shard_of(one.customer_id, 3) == one.shard for one in drafts.itertuples())
    with pytest.raises(ValueError, match="shard 3 does not exist: 2017-11-30 has shards 0 to 2"):
        generate(trained, settings, 3)


def test_customer_who_bought_everything_has_no_discovery_list(shop: Engine, settings: Settings) -> None:
    everything = [
        world.event(f"all{shelf}-{n}", "c00", world.item(shelf, n), D - timedelta(days=n))
        for shelf in range(world.SHELVES)
        for n in range(world.ITEMS_PER_SHELF)
    ]
    world.land(shop, everything)
    world.night(shop, settings)
    lists = world.rows(shop, LISTS)
    assert set(lists[lists["customer_id"] == "c00"]["purpose"]) == {"next_purchase"}


def test_where_all_rests_what_rests_is_listed_rather_than_nothing(
    shop: Engine, make_settings: Callable[..., Settings]
) -> None:
    """36 items, longer lists, and none may come again for a week: the second night has nothing else."""
    rest = {"rest_days_after_listing": {"next_purchase": 7, "discovery": 7}, "rested_ranks": 40, "list_length": 40}
    settings = make_settings(recommender=world.RECOMMENDER | rest)
    for day in range(2):
        world.night(shop, settings, D + timedelta(days=day))
    lists = world.rows(shop, "select * from marketing.recommendations where business_date = '2017-12-01'")
    assert lists.groupby("purpose")["customer_id"].nunique()["next_purchase"] == world.CUSTOMERS
    assert not lists.duplicated(["customer_id", "purpose", "item_id"]).any()


def test_what_was_listed_lately_rests(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    rest = {"rest_days_after_listing": {"discovery": 7}, "rested_ranks": 3}
    settings = make_settings(recommender=world.RECOMMENDER | rest)
    for day in range(2):
        world.night(shop, settings, D + timedelta(days=day))
    lists = world.rows(shop, "select * from marketing.recommendations where purpose = 'discovery'")
    top = lists[(lists["business_date"] == D) & (lists["rank"] <= 3)]
    after = lists[lists["business_date"] == D + timedelta(days=1)]
    assert top.merge(after, on=["customer_id", "item_id"]).empty


def test_blocked_items_are_never_listed(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    blocked = [world.item(0, 0), world.item(1, 1)]
    world.night(shop, make_settings(recommender=world.RECOMMENDER | {"blocked_items": blocked}))
    assert not set(blocked) & set(world.rows(shop, LISTS)["item_id"])


def test_quotas_of_the_settings_hold(shop: Engine, make_settings: Callable[..., Settings]) -> None:
    rules = {"list_rules": {"discovery": {"per_category": 2}}, "list_length": 4}
    world.night(shop, make_settings(recommender=world.RECOMMENDER | rules))
    lists = world.rows(shop, LISTS)
    shelves = lists.assign(shelf=lists["item_id"].str[1]).groupby(["purpose", "customer_id", "shelf"]).size()
    assert shelves["discovery"].max() == 2
    assert shelves["next_purchase"].max() > 2


def test_nothing_in_stock_is_an_error(trained: Engine, settings: Settings) -> None:
    world.execute(trained, "update marketing.items set in_stock = false")
    with pytest.raises(ValueError, match="no item can be recommended"):
        generate(trained, settings, 0)

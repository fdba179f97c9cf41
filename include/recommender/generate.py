"""The lists of one shard of customers, written as drafts."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from sqlalchemy import ARRAY, Connection, Engine, Text, any_, cast, delete, select, text
from threadpoolctl import threadpool_limits

from include.business_time import day_bounds
from include.db.copy import copy_in
from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import LONGEST_NAME, customer_features, recommendation_drafts
from include.recommender import artifact, lists, reading, registry
from include.recommender.artifact import RecommenderModel
from include.recommender.lists import Catalogue, CustomerList, FittedModel
from include.recommender.shards import shard_count, shard_of
from include.recommender.vocabulary import NO_MODEL
from include.settings import Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.recommender.drafts"


@dataclass(frozen=True)
class GenerationSummary:
    """What one shard wrote; rows of each strategy."""

    business_date: str
    shard: int
    customers: int
    rows: int
    model_id: str
    strategies: dict[str, int]


@dataclass(frozen=True)
class _ShardInput:
    favourites: dict[str, list[str]]
    interactions: pd.DataFrame
    bought: pd.DataFrame
    catalogue: pd.DataFrame


def generate_recommendations(
    engine: Engine, settings: Settings, *, business_date: date, shard: int
) -> GenerationSummary:
    """Write both lists of every customer of the shard to ``recommendation_drafts``, in place of what it held.

    An item is listed only if it is in ``items`` (else it has no title) and not out of stock. ``score`` compares rows
    of one strategy; the order is ``rank``'s. A customer who bought everything has no ``discovery`` list.

    Raises ValueError for a shard that does not exist, for interactions of another date, or when no item can be
    recommended; ArtifactError, naming the URI, when the model in force cannot be read.
    """
    started = time.perf_counter()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        reading.check_interactions_are_of(connection, business_date)
        shards = shard_count(connection, settings, business_date)
        if not 0 <= shard < shards:
            raise ValueError(f"shard {shard} does not exist: {business_date} has shards 0 to {shards - 1}")
        registered = registry.model_in_force(connection, business_date)
        shard_input = _read(connection, settings, business_date, shard, shards)
    model = artifact.load(registered.artifact_uri, registered.artifact_sha256) if registered else None
    if model is None:
        logger.warning("no model is in force for %s: lists fall back to own history and favourites", business_date)
    if not shard_input.catalogue["in_stock"].any():
        raise ValueError("no item can be recommended: items is empty or all out of stock; land the catalogue")

    with threadpool_limits(1, user_api="blas"):
        drafts = _drafts(settings, shard_input, model)
    drafts.insert(0, "business_date", business_date)
    drafts["model_id"] = model.model_id if model else NO_MODEL
    drafts["shard"] = shard
    _write(engine, drafts, business_date, shard, list(shard_input.favourites))
    logger.info(
        "shard %d of %d: %d customers in %.3gs",
        shard,
        shards,
        len(shard_input.favourites),
        time.perf_counter() - started,
    )
    return GenerationSummary(
        business_date=business_date.isoformat(),
        shard=shard,
        customers=len(shard_input.favourites),
        rows=len(drafts),
        model_id=model.model_id if model else NO_MODEL,
        strategies={str(name): int(rows) for name, rows in sorted(drafts["strategy"].value_counts().items())},
    )


def _read(connection: Connection, settings: Settings, business_date: date, shard: int, shards: int) -> _ShardInput:
    everyone = connection.execute(
        select(customer_features.c.customer_id, customer_features.c.preferred_categories).where(
            customer_features.c.business_date == business_date
        )
    )
    favourites = {customer: list(names) for customer, names in everyone if shard_of(customer, shards) == shard}
    connection.execute(statement(__file__, "create_shard_customers"), {"customers": list(favourites)})
    connection.execute(text("analyze shard_customers"))
    end_of_day = day_bounds(business_date, settings.business_time_zone)[1]
    return _ShardInput(
        favourites=dict(sorted(favourites.items())),
        interactions=reading.read(connection, "select_shard_interactions"),
        bought=reading.read(connection, "select_shard_bought", {"end_of_day": end_of_day.isoformat()}),
        catalogue=reading.read(
            connection,
            "select_catalogue",
            {"business_date": business_date, "longest_name": LONGEST_NAME},
            {"category": "str", "in_stock": "str"},
        ).assign(in_stock=lambda frame: frame["in_stock"] == "t"),
    )


def _drafts(settings: Settings, shard_input: _ShardInput, model: RecommenderModel | None) -> pd.DataFrame:
    """Rows of ``recommendation_drafts`` but for date, model and shard. Items are numbered by their ids' order."""
    known = pd.Index([] if model is None else model.items, dtype=object)
    ids = reading.sorted_ids(
        shard_input.interactions["item_id"], shard_input.bought["item_id"], shard_input.catalogue["item_id"]
    ).union(known)
    customers = pd.Index(list(shard_input.favourites), dtype=object)
    weights = reading.to_pairs(shard_input.interactions, customers, ids).weights
    bought = reading.to_pairs(shard_input.bought.assign(weight=1.0, purchase_days=1), customers, ids).bought
    made = lists.make_lists(
        weights,
        bought,
        list(shard_input.favourites.values()),
        _catalogue(shard_input.catalogue, ids),
        None if model is None else _fitted(model, ids),
        length=settings.recommender.list_length,
        threads=settings.recommender.threads,
    )
    return _frame(list(made), customers, ids)


def _catalogue(frame: pd.DataFrame, ids: pd.Index) -> Catalogue:
    at = reading.positions(frame["item_id"], ids)
    popularity = np.zeros(len(ids))
    popularity[at] = frame["popularity"]
    categories = np.full(len(ids), "", object)
    categories[at] = frame["category"].fillna("")
    allowed, titled = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    allowed[at], titled[at] = frame["in_stock"], True
    return Catalogue(popularity, categories, allowed, titled)


def _fitted(model: RecommenderModel, ids: pd.Index) -> FittedModel:
    factors = np.zeros((len(ids), model.parameters.factors), np.float32)
    factors[ids.get_indexer(model.items)] = model.item_factors
    return FittedModel(factors, model.parameters, model.blend_weight)


def _frame(made: list[CustomerList], customers: pd.Index, ids: pd.Index) -> pd.DataFrame:
    lengths = [len(made_list.ranked.items) for made_list in made]
    items, scores, reasons = (
        np.concatenate(arrays) if arrays else np.zeros(0, kind)
        for arrays, kind in (
            ([made_list.ranked.items for made_list in made], np.int64),
            ([made_list.ranked.scores for made_list in made], np.float64),
            ([made_list.reasons for made_list in made], np.int64),
        )
    )
    names = ids.to_numpy(object)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(customers.to_numpy(object)[[one.customer for one in made]], lengths)
            if made
            else np.zeros(0, object),
            "purpose": np.repeat(np.array([one.purpose for one in made], object), lengths),
            "rank": np.concatenate([np.arange(1, length + 1) for length in lengths]) if made else np.zeros(0, np.int64),
            "item_id": names[items],
            "score": scores,
            "strategy": np.array([name for one in made for name in one.ranked.strategies], object),
            "reason_item_id": np.where(reasons < 0, None, names[reasons]),
        }
    )


def _write(engine: Engine, drafts: pd.DataFrame, business_date: date, shard: int, customers: list[str]) -> None:
    """Rows of the shard, and of its customers under any other number of shards, give way in the same transaction."""
    table = recommendation_drafts
    with engine.begin() as connection:
        lock(connection, f"{LOCK_NAME}.{business_date}.{shard}")
        connection.execute(delete(table).where(table.c.business_date == business_date, table.c.shard == shard))
        connection.execute(
            delete(table).where(
                table.c.business_date == business_date, table.c.customer_id == any_(cast(customers, ARRAY(Text)))
            )
        )
        copy_in(connection, table, drafts)

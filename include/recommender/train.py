"""Fit tonight's recommender, judge it on a split, register it, and promote or reject it with a reason."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select
from threadpoolctl import threadpool_limits

from include.db.tables import DISCOVERY, NEXT_PURCHASE, customer_features
from include.recommender import artifact, learning, reading, registry
from include.recommender.artifact import RecommenderModel
from include.recommender.contest import Contest, Decision, decide
from include.recommender.judging import Judged, Night, digest, kept_order, metrics_of, parameters_of
from include.recommender.models.implicit_als import Factors
from include.recommender.recipe import Recipe
from include.recommender.registry import Entry
from include.recommender.shards import shard_count
from include.recommender.shop import Shop, day_number, read_shop
from include.recommender.two_stage import TwoStage
from include.recommender.vocabulary import (
    ALS,
    CHAMPION,
    OWN_FREQUENCY,
    PLAIN,
    POPULARITY,
    REJECTED,
    SERVED,
    TWO_STAGE,
)
from include.settings import RecommenderSettings, Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSummary:
    """The model of a date and its evidence: nDCG@10 of ``next_purchase`` unless named otherwise, None if not judged."""

    business_date: str
    model_id: str
    status: str
    reason: str
    ndcg_served: float | None
    ndcg_als: float | None
    ndcg_own_frequency: float | None
    ndcg_popularity: float | None
    ndcg_discovery: float | None
    shards: list[int]


def train_recommender(engine: Engine, settings: Settings, *, business_date: date) -> TrainingSummary:
    """Fit the night's recipe on everything up to the end of ``business_date``, judge it, write artifact and row.

    The recipe is the champion's, or a challenger's: what the settings say where they have changed, or what
    ``tune_recommender`` proposed. A challenger is judged beside the champion's recipe, on the same split and customers;
    if it is rejected, the champion's recipe is fitted anew on tonight's data all the same. Where nothing can be
    promoted and there is no champion, own history, favourites and popularity serve without a ranker.

    The order of candidates is learned every ``learn_again_after_days`` (then ALS starts cold), and kept in between
    (then ALS starts from the champion's factors).

    Raises ValueError when ``interactions`` was not built for ``business_date``, or for a setting that no model knows.
    """
    recommender = settings.recommender
    configured = Recipe.of_settings(recommender.models, recommender.ranker)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        reading.check_interactions_are_of(connection, business_date)
        champion = registry.champion_before(connection, business_date)
        proposal = registry.proposal_for(connection, business_date)
        shop = read_shop(connection, settings, business_date)
        segments = _segments(connection, shop, business_date)
        shards = list(range(shard_count(connection, settings, business_date)))
    with threadpool_limits(1, user_api="blas"):
        night = _night(recommender, business_date, shop, segments)
        decided = decide(night, Contest.between(configured, champion, proposal))
        entries = [*decided.rejected]
        if decided.serves is not None:
            entries.append(_fit(night, decided, decided.serves, settings.artifacts))
    with engine.begin() as connection:
        registry.register(connection, business_date, entries, proposal)
        too_old = registry.artifacts_beyond(connection, business_date, recommender.kept_models)
    for uri in too_old:
        artifact.forget(uri)
    for entry in entries:
        logger.info("%s is %s. %s", entry.model_id, "champion" if entry.promoted else "rejected", entry.reason)
    return _summary(business_date, entries[-1], shards)


def _night(recommender: RecommenderSettings, business_date: date, shop: Shop, segments: NDArray[np.str_]) -> Night:
    history = shop.history
    logger.info(
        "%d customers, %d items, %d days of a customer with an item; foretold is %s",
        history.customers,
        history.items,
        len(history.day),
        shop.target,
    )
    days = learning.horizon(history, recommender.evaluation_days)
    seed = recommender.seed + day_number(business_date)
    splits = learning.splits(history, days=days, count=recommender.learning_splits, seed=seed)
    return Night(recommender, business_date, shop, segments, splits)


def _fit(night: Night, decided: Decision, serves: Judged, root: str) -> Entry:
    """The recipe that serves, fitted on all data, its artifact written."""
    started = time.perf_counter()
    kept = kept_order(night, serves.recipe, decided.former)
    items = night.shop.items
    fitted = TwoStage.fit(
        night.shop.history,
        serves.recipe,
        rankers=serves.rankers,
        start=_factors(kept, items.ids) if kept else None,
        threads=night.settings.threads,
    )
    parameters = parameters_of(serves, decided.origin) | {"configured": decided.configured}
    name = PLAIN if decided.origin == PLAIN else TWO_STAGE
    model = RecommenderModel(
        model_id=f"{name}-{night.business_date}-{digest(parameters, night, kept.model_id if kept else '')}",
        target=night.shop.target,
        learned_on=serves.learned_on,
        segments=night.shop.segments,
        items=items.ids,
        catalogue=items.catalogue,
        fitted=fitted,
        judges=serves.judges,
        judges_know=serves.judges_know,
    )
    uri, sha256 = artifact.save(model, root)
    logger.info("%s: fitted in %.3gs", model.model_id, time.perf_counter() - started)
    metrics = metrics_of(night, serves, decided.verdict)
    return Entry(model.model_id, name, parameters, uri, sha256, metrics, promoted=True, reason=decided.verdict.reason)


def _factors(former: RecommenderModel, items: pd.Index) -> dict[str, Factors]:
    """Item factors of an earlier night in the order of tonight's items, zeros where it did not know one."""
    place = former.items.get_indexer(items)
    known = place >= 0
    started = {}
    for part, factors in former.fitted.item_factors.items():
        started[part] = np.zeros((len(items), factors.shape[1]), np.float32)
        started[part][known] = factors[place[known]]
    return started


def _segments(connection: Connection, shop: Shop, business_date: date) -> NDArray[np.str_]:
    """(customers,): the segment of each on ``business_date``, "" for none."""
    query = select(customer_features.c.customer_id, customer_features.c.segment).where(
        customer_features.c.business_date == business_date
    )
    segments = {customer: segment for customer, segment in connection.execute(query) if segment}
    return np.array([segments.get(customer, "") for customer in shop.customers], dtype=str)


def _summary(business_date: date, entry: Entry, shards: list[int]) -> TrainingSummary:
    def ndcg(purpose: str, lists: str) -> float | None:
        figures = entry.metrics.get(purpose, {}).get(lists)
        return None if figures is None else float(figures["ndcg@10"])

    return TrainingSummary(
        business_date=business_date.isoformat(),
        model_id=entry.model_id,
        status=CHAMPION if entry.promoted else REJECTED,
        reason=entry.reason,
        ndcg_served=ndcg(NEXT_PURCHASE, SERVED),
        ndcg_als=ndcg(NEXT_PURCHASE, ALS),
        ndcg_own_frequency=ndcg(NEXT_PURCHASE, OWN_FREQUENCY),
        ndcg_popularity=ndcg(NEXT_PURCHASE, POPULARITY),
        ndcg_discovery=ndcg(DISCOVERY, SERVED),
        shards=shards,
    )

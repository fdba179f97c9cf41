"""Fit tonight's model, judge it on a time split, register it, and promote or reject it with a reason."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine
from threadpoolctl import threadpool_limits

from include.business_time import day_bounds
from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import als, evaluation, gate, reading, registry
from include.recommender.als import ModelParameters
from include.recommender.artifact import RecommenderModel, save
from include.recommender.evaluation import OWN_FREQUENCY, SERVED, Evaluation, Split
from include.recommender.ranking import UNJUDGED_BLEND_WEIGHT
from include.recommender.reading import Pairs
from include.recommender.registry import RegisteredModel
from include.recommender.shards import shard_count
from include.recommender.splitting import Activity, split_at
from include.recommender.vocabulary import ALS, POPULARITY
from include.settings import Settings

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


@dataclass(frozen=True)
class _Evidence:
    """The verdict on tonight's parameters, the figures it rests on, and the weight that ALS gets in the blend."""

    verdict: gate.Verdict
    metrics: dict[str, Any]
    blend_weight: float


def train_recommender(engine: Engine, settings: Settings, *, business_date: date) -> TrainingSummary:
    """Fit ALS on ``interactions``, judge it, write its artifact and its row of ``models``.

    The split: history is every event before the end of ``business_date`` − ``recommender.evaluation_days``, future the
    purchases from there to the end of ``business_date``. For an honest comparison at the same cut, it is the champion's
    *parameters* that compete, refitted on the same history; with the same parameters the difference is exactly 0 and
    the model is promoted as a refresh. The gate judges ALS itself, not the blended lists, where own history would
    hide a bad model. A first model that does not beat popularity is rejected: no model is in force then, and lists fall
    back to own history, category favourites and popularity. So is the empty model of a night without interactions.

    Raises ValueError when ``interactions`` was not built for ``business_date``.
    """
    parameters = ModelParameters.of(settings)
    threads = settings.recommender.threads
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        reading.check_interactions_are_of(connection, business_date)
        champion = registry.champion_before(connection, business_date)
        activity = _read_activity(connection, settings, business_date)
        frame = reading.read(connection, "select_interactions")
        shards = list(range(shard_count(connection, settings, business_date)))
    pairs = reading.to_pairs(frame, reading.sorted_ids(frame["customer_id"]), reading.sorted_ids(frame["item_id"]))
    if pairs.weights.nnz:
        with threadpool_limits(1, user_api="blas"):
            evidence = _judge(activity, settings, parameters, champion, business_date)
    else:
        evidence = _nothing_to_learn(champion, business_date)

    started = time.perf_counter()
    model = RecommenderModel(
        model_id=f"{ALS}-{business_date}-{_digest(parameters, pairs)}",
        parameters=parameters,
        blend_weight=evidence.blend_weight,
        items=pairs.items,
        item_factors=als.fit_item_factors(pairs.weights, parameters, threads),
    )
    logger.info(
        "%s: fitted %d customers × %d items in %.3gs",
        model.model_id,
        *pairs.weights.shape,
        time.perf_counter() - started,
    )
    uri, sha256 = save(model, settings.artifacts)
    with engine.begin() as connection:
        status = registry.register(
            connection,
            RegisteredModel(model.model_id, business_date, parameters.as_json(), uri, sha256),
            metrics=evidence.metrics,
            promoted=evidence.verdict.promoted,
            reason=evidence.verdict.reason,
        )
    logger.info("%s is %s. %s", model.model_id, status, evidence.verdict.reason)
    return _summary(business_date, model.model_id, status, evidence, shards)


def _judge(
    activity: Activity,
    settings: Settings,
    parameters: ModelParameters,
    champion: RegisteredModel | None,
    business_date: date,
) -> _Evidence:
    started = time.perf_counter()
    champion_id = champion.model_id if champion else None
    champion_parameters = ModelParameters(**champion.parameters) if champion else None
    same = champion_parameters == parameters
    cut = business_date - timedelta(days=settings.recommender.evaluation_days)
    split = _split(activity, settings, parameters, cut)
    about: dict[str, Any] = {"cut": cut.isoformat(), "end": business_date.isoformat(), "champion": champion_id}
    if isinstance(split, str):
        metrics = {"split": about | {"customers": 0, "why_not": split}}
        verdict = gate.judge_unseen(split, champion_id=champion_id, same_parameters=same)
        return _Evidence(verdict, metrics, UNJUDGED_BLEND_WEIGHT)

    draws, threads = settings.recommender.bootstrap_samples, settings.recommender.threads
    seed = [settings.recommender.seed, business_date.toordinal()]
    judged = evaluation.evaluate(split, parameters, draws=draws, seed=seed, threads=threads)
    champion_ndcg = None
    if champion_parameters is not None and not same:
        rival = _split(activity, settings, champion_parameters, cut)
        # Where the champion's weights leave no history at all, there is nothing it could have listed.
        no_lists = np.zeros(len(judged.als_ndcg))
        champion_ndcg = no_lists if isinstance(rival, str) else evaluation.als_ndcg(rival, champion_parameters, threads)
    verdict = gate.judge(
        judged.als_ndcg,
        judged.popularity_ndcg,
        champion_ndcg,
        champion_id=champion_id,
        same_parameters=same,
        tolerance=settings.recommender.promotion_tolerance,
        draws=draws,
        seed=seed,
    )
    logger.info("judged on %d customers in %.3gs", len(split.judged), time.perf_counter() - started)
    return _Evidence(verdict, judged.metrics | {"split": about | _figures(split, judged, verdict)}, judged.blend_weight)


def _nothing_to_learn(champion: RegisteredModel | None, business_date: date) -> _Evidence:
    why = f"nothing to learn from, since up to {business_date} no customer has done anything with an item that counts"
    verdict = gate.judge_empty(why, champion_id=champion.model_id if champion else None)
    return _Evidence(verdict, {"split": {"customers": 0, "why_not": why}}, UNJUDGED_BLEND_WEIGHT)


def _figures(split: Split, judged: Evaluation, verdict: gate.Verdict) -> dict[str, Any]:
    difference = verdict.difference
    return {
        "customers": len(split.judged),
        "blend_weight": judged.blend_weight,
        "difference_to_champion": None
        if difference is None
        else {"mean": round(difference.mean, 6), "low": round(difference.low, 6), "high": round(difference.high, 6)},
    }


def _read_activity(connection: Connection, settings: Settings, business_date: date) -> Activity:
    zone = settings.business_time_zone
    end_of_day = day_bounds(business_date, zone)[1].isoformat()
    return Activity.of(
        reading.read(connection, "select_activity", {"business_time_zone": zone, "end_of_day": end_of_day})
    )


def _split(activity: Activity, settings: Settings, parameters: ModelParameters, cut: date) -> Split | str:
    recommender = settings.recommender
    return split_at(activity, cut, parameters, customers=recommender.evaluation_customers, seed=recommender.seed)


def _digest(parameters: ModelParameters, pairs: Pairs) -> str:
    """Eight hex digits of what the fit depends on."""
    digest = hashlib.sha256(json.dumps(parameters.as_json(), sort_keys=True).encode())
    for ids in (pairs.customers, pairs.items):
        digest.update("\n".join(ids).encode() + b"\0")
    for array in (pairs.weights.indptr, pairs.weights.indices, pairs.weights.data):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:8]


def _summary(
    business_date: date, model_id: str, status: str, evidence: _Evidence, shards: list[int]
) -> TrainingSummary:
    def ndcg(purpose: str, lists: str) -> float | None:
        figures = evidence.metrics.get(purpose, {}).get(lists)
        return None if figures is None else float(figures["ndcg@10"])

    return TrainingSummary(
        business_date=business_date.isoformat(),
        model_id=model_id,
        status=status,
        reason=evidence.verdict.reason,
        ndcg_served=ndcg(NEXT_PURCHASE, SERVED),
        ndcg_als=ndcg(NEXT_PURCHASE, ALS),
        ndcg_own_frequency=ndcg(NEXT_PURCHASE, OWN_FREQUENCY),
        ndcg_popularity=ndcg(NEXT_PURCHASE, POPULARITY),
        ndcg_discovery=ndcg(DISCOVERY, ALS),
        shards=shards,
    )

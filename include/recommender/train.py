"""Fit tonight's recommender, judge it on a split, register it, and promote or reject it with a reason."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select
from threadpoolctl import threadpool_limits

from include.db.tables import DISCOVERY, NEXT_PURCHASE, customer_features
from include.recommender import artifact, evaluation, gate, learning, reading, registry
from include.recommender.arrange import ItemTraits
from include.recommender.artifact import ArtifactError, RecommenderModel
from include.recommender.evaluation import Evaluation, ListMaking
from include.recommender.learning import Lessons, Split
from include.recommender.models.implicit_als import Factors
from include.recommender.pair_features import feature_names
from include.recommender.ranker import Ranker
from include.recommender.recipe import Recipe
from include.recommender.registry import Entry, Proposal, RegisteredModel
from include.recommender.shards import shard_count
from include.recommender.shop import Shop, date_of, day_number, read_shop
from include.recommender.two_stage import TwoStage
from include.recommender.vocabulary import (
    ALS,
    CHAMPION,
    OWN_FREQUENCY,
    PLAIN,
    POPULARITY,
    REJECTED,
    SERVED,
    SETTINGS,
    TUNING,
    TWO_STAGE,
)
from include.settings import RecommenderSettings, Settings

logger = logging.getLogger(__name__)

LEANS_ON = 15
"""So many features of a ranker are kept in the metrics: those it leans on most."""


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
class _Night:
    """What every recipe of a night is judged on. segments: (customers,), "" for none."""

    settings: RecommenderSettings
    business_date: date
    shop: Shop
    segments: NDArray[np.str_]
    splits: list[Split]

    @property
    def cuts_in_time(self) -> bool:
        """Whether there is more than one cut in time: the newest judges what the older ones taught."""
        return len(self.splits) > 1 and self.splits[0].in_time

    @property
    def traits(self) -> ItemTraits:
        items = self.shop.items
        return ItemTraits(items.catalogue.category, items.catalogue.brand, items.margin)

    @property
    def making(self) -> ListMaking:
        return ListMaking.of_settings(self.settings)

    @property
    def seed(self) -> int:
        return self.settings.seed + day_number(self.business_date)


@dataclass(frozen=True)
class _Judged:
    """A recipe with what it learned. judges know nothing of the newest hidden part, rankers all.

    evaluation: None where history is too short to split.
    """

    recipe: Recipe
    rankers: Mapping[str, Ranker]
    judges: Mapping[str, Ranker]
    learned_on: date
    evaluation: Evaluation | None


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
        decided = _decide(night, _contest(configured, champion, proposal))
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


def _night(recommender: RecommenderSettings, business_date: date, shop: Shop, segments: NDArray[np.str_]) -> _Night:
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
    return _Night(recommender, business_date, shop, segments, splits)


@dataclass(frozen=True)
class _Decision:
    """serves: what is to be fitted on all data, None where the champion stays as it is, of an earlier night.

    configured: the settings' recipe as far as it has been judged, by which a later change is known.
    """

    rejected: list[Entry]
    serves: _Judged | None
    verdict: gate.Verdict
    origin: str
    former: RecommenderModel | None
    configured: dict[str, Any]


@dataclass(frozen=True)
class _Contest:
    """Who competes tonight. incumbent: the champion's recipe, None where there is none that this version can fit."""

    champion: RegisteredModel | None
    incumbent: Recipe | None
    challenger: Recipe | None
    origin: str
    configured: dict[str, Any]

    @property
    def champion_id(self) -> str | None:
        return self.champion.model_id if self.champion else None

    @property
    def is_plain(self) -> bool:
        return self.champion is not None and self.champion.parameters["origin"] == PLAIN


def _contest(configured: Recipe, champion: RegisteredModel | None, proposal: Proposal | None) -> _Contest:
    incumbent = _readable(champion)
    challenger, origin = None, ""
    if champion is None or incumbent is None or champion.parameters["origin"] == PLAIN:
        challenger, origin = (Recipe.of_json(proposal.recipe), TUNING) if proposal else (configured, SETTINGS)
    elif champion.parameters["configured"] != configured.as_json() and configured != incumbent:
        challenger, origin = configured, SETTINGS
    elif proposal is not None:
        challenger, origin = Recipe.of_json(proposal.recipe), TUNING
    return _Contest(champion, incumbent, challenger, origin, configured.as_json())


def _readable(champion: RegisteredModel | None) -> Recipe | None:
    if champion is None:
        return None
    try:
        return Recipe.of_json(champion.parameters["recipe"])
    except ValueError as error:
        logger.error("the recipe of champion %s cannot be fitted: %s", champion.model_id, error)
        return None


def _decide(night: _Night, contest: _Contest) -> _Decision:
    if not (night.shop.history.weight > 0).any():
        why = (
            f"nothing to learn from, since up to {night.business_date} no customer has done anything with an item that "
            "counts"
        )
        verdict = gate.judge_empty(why, champion_id=contest.champion_id)
        nothing = _unjudged(night, contest.challenger or contest.incumbent or Recipe.plain())
        return _refused(night, contest, [_entry_without_artifact(night, nothing, verdict, contest.origin)], verdict)
    former = _load(contest.champion)
    incumbent = None if contest.incumbent is None else _judge(night, contest.incumbent, former)
    rejected: list[Entry] = []
    before = contest.champion.parameters.get("configured", {}) if contest.champion else {}
    tried = contest.configured if contest.origin != SETTINGS or night.splits or incumbent is None else before
    if contest.challenger is not None:
        judged = _judge(night, contest.challenger, None)
        verdict = _verdict(night, judged, incumbent, contest.champion_id)
        if verdict.promoted:
            return _Decision(rejected, judged, verdict, contest.origin, former, contest.configured)
        rejected.append(_entry_without_artifact(night, judged, verdict, contest.origin))
        if incumbent is None or contest.is_plain:
            return _refused(night, contest, rejected, verdict)
    if incumbent is None or contest.champion is None:
        raise AssertionError("without a champion there is always a challenger")
    verdict = _verdict(night, incumbent, None, contest.champion_id, refresh=True)
    origin = contest.champion.parameters["origin"]
    if verdict.promoted:
        return _Decision(rejected, incumbent, verdict, origin, former, tried)
    rejected.append(_entry_without_artifact(night, incumbent, verdict, origin))
    return _Decision(rejected, None, verdict, origin, former, tried)


def _refused(night: _Night, contest: _Contest, rejected: list[Entry], verdict: gate.Verdict) -> _Decision:
    """The decision where nothing may serve that was judged: the champion stays, or the plain lists serve, anew."""
    if contest.champion is not None and not contest.is_plain:
        return _Decision(rejected, None, verdict, contest.origin, None, contest.configured)
    reason = f"Own history, favourites and popularity serve, without a ranker. {verdict.reason}"
    plain = _unjudged(night, Recipe.plain())
    return _Decision(rejected, plain, gate.Verdict(True, reason), PLAIN, None, contest.configured)


def _unjudged(night: _Night, recipe: Recipe) -> _Judged:
    return _Judged(recipe, {}, {}, night.business_date, None)


def _load(champion: RegisteredModel | None) -> RecommenderModel | None:
    """The champion's model, to start from; training goes on without it where its artifact cannot be read."""
    if champion is None:
        return None
    try:
        return artifact.load(champion.artifact_uri, champion.artifact_sha256)
    except ArtifactError as error:
        logger.error("%s; tonight learns everything anew", error)
        return None


def _kept(night: _Night, recipe: Recipe, former: RecommenderModel | None) -> RecommenderModel | None:
    """``former`` where its order of candidates still holds: the same recipe, learned not long ago."""
    if former is None or former.fitted.recipe != recipe or former.target != night.shop.target:
        return None
    if not night.cuts_in_time:
        # What judges was hidden from the kept order only where all that taught it lies before.
        return None
    names = feature_names(recipe.parts)
    if any(ranker.names != names for ranker in (*former.fitted.rankers.values(), *former.judges.values())):
        return None
    age = (night.business_date - former.learned_on).days
    return former if 0 < age < night.settings.learn_again_after_days else None


def _judge(night: _Night, recipe: Recipe, former: RecommenderModel | None) -> _Judged:
    """``recipe`` learned and judged on the night's splits; what ``former`` learned is kept where it still holds."""
    kept = _kept(night, recipe, former)
    learned_on = kept.learned_on if kept else night.business_date
    if not night.splits:
        return _Judged(recipe, kept.fitted.rankers if kept else {}, kept.judges if kept else {}, learned_on, None)
    started, threads = time.perf_counter(), night.settings.threads
    newest, older = night.splits[0], night.splits[1:]
    numbers = learning.drawn(newest.buyers, night.settings.evaluation_customers, night.seed)
    # Too short for a second cut: half of the customers teach, and the others judge, whatever is judged.
    teaching, numbers = (numbers, numbers) if older else (numbers[::2], numbers[1::2])
    fitted = TwoStage.fit(newest.past, recipe, threads=threads)
    told: list[Lessons] = []
    if kept is None:
        if not older:
            told.append(learning.lessons(fitted, newest, teaching, seed=night.seed, threads=threads))
        for place, split in enumerate(older):
            then = TwoStage.fit(split.past, recipe, threads=threads)
            chosen = learning.drawn(learning.known_buyers(split), night.settings.learning_customers, night.seed + place)
            told.append(learning.lessons(then, split, chosen, seed=night.seed + place, threads=threads))
            logger.info(
                "cut %d of %d: %d customers in %.3gs",
                place + 1,
                len(older),
                len(chosen),
                time.perf_counter() - started,
            )
        judges = learning.learn(told, recipe, threads=threads)
    else:
        judges = dict(kept.judges)
    listed = evaluation.make_lists(
        replace(fitted, rankers=judges), newest, numbers, night.traits, night.making, seed=night.seed, threads=threads
    )
    judged = evaluation.evaluate(
        listed,
        newest,
        fitted.facts,
        night.traits,
        night.making,
        segments=night.segments,
        draws=night.settings.bootstrap_samples,
        seed=[night.seed],
    )
    rankers = kept.fitted.rankers if kept else learning.learn([listed.lessons, *told], recipe, threads=threads)
    logger.info("judged on %d customers in %.3gs", len(numbers), time.perf_counter() - started)
    return _Judged(recipe, rankers, judges, learned_on, judged)


def _verdict(
    night: _Night, judged: _Judged, incumbent: _Judged | None, champion_id: str | None, *, refresh: bool = False
) -> gate.Verdict:
    if judged.evaluation is None:
        why = "history is too short to split: too few customers came back"
        return gate.judge_unseen(why, champion_id=champion_id, refresh=refresh)
    return gate.judge(
        judged.evaluation.ndcg,
        incumbent.evaluation.ndcg if incumbent and incumbent.evaluation else None,
        champion_id=champion_id,
        refresh=refresh,
        tolerance=night.settings.promotion_tolerance,
        draws=night.settings.bootstrap_samples,
        seed=[night.seed],
    )


def _fit(night: _Night, decided: _Decision, serves: _Judged, root: str) -> Entry:
    """The recipe that serves, fitted on all data, its artifact written."""
    started = time.perf_counter()
    kept = _kept(night, serves.recipe, decided.former)
    items = night.shop.items
    fitted = TwoStage.fit(
        night.shop.history,
        serves.recipe,
        rankers=serves.rankers,
        start=_factors(kept, items.ids) if kept else None,
        threads=night.settings.threads,
    )
    parameters = _parameters(serves, decided.origin) | {"configured": decided.configured}
    name = PLAIN if decided.origin == PLAIN else TWO_STAGE
    model = RecommenderModel(
        model_id=f"{name}-{night.business_date}-{_digest(parameters, night, kept.model_id if kept else '')}",
        target=night.shop.target,
        learned_on=serves.learned_on,
        segments=night.shop.segments,
        items=items.ids,
        catalogue=items.catalogue,
        fitted=fitted,
        judges=serves.judges,
    )
    uri, sha256 = artifact.save(model, root)
    logger.info("%s: fitted in %.3gs", model.model_id, time.perf_counter() - started)
    metrics = _metrics(night, serves, decided.verdict)
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


def _entry_without_artifact(night: _Night, judged: _Judged, verdict: gate.Verdict, origin: str) -> Entry:
    """A rejected recipe is not fitted on all data: nobody could be served by it."""
    parameters = _parameters(judged, origin)
    model_id = f"{TWO_STAGE}-{night.business_date}-{_digest(parameters, night)}-{REJECTED}"
    return Entry(model_id, TWO_STAGE, parameters, "", "", _metrics(night, judged, verdict), False, verdict.reason)


def _parameters(judged: _Judged, origin: str) -> dict[str, Any]:
    return {"recipe": judged.recipe.as_json(), "origin": origin, "learned_on": judged.learned_on.isoformat()}


def _metrics(night: _Night, judged: _Judged, verdict: gate.Verdict) -> dict[str, Any]:
    about: dict[str, Any] = {"end": night.business_date.isoformat(), "foretold": night.shop.target}
    if judged.evaluation is None:
        return {"split": about | {"customers": 0, "why_not": verdict.reason}}
    newest = night.splits[0]
    about |= {
        "cut": date_of(newest.past.today).isoformat(),
        "in_time": newest.in_time,
        "splits": len(night.splits),
        "difference_to_champion": {
            purpose: {"mean": round(found.mean, 6), "low": round(found.low, 6), "high": round(found.high, 6)}
            for purpose, found in verdict.differences.items()
        },
    }
    leans = {
        purpose: {name: round(share, 4) for name, share in list(ranker.leans_on().items())[:LEANS_ON]}
        for purpose, ranker in judged.rankers.items()
    }
    return judged.evaluation.metrics | {"split": about, "leans_on": leans}


def _digest(parameters: Mapping[str, Any], night: _Night, former: str = "") -> str:
    """Eight hex digits of what the fit depends on; former: the model that ALS starts from."""
    learning_settings = night.settings.model_dump(mode="json", exclude={"threads", "shards"})
    told = {"parameters": parameters, "settings": learning_settings, "former": former, "segments": night.shop.segments}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    shop, history = night.shop, night.shop.history
    for ids in (shop.customers, shop.items.ids):
        digest.update("\n".join(ids).encode() + b"\0")
    catalogue = shop.items.catalogue
    for array in (history.customer, history.item, history.day, history.weight, history.bought, history.segment):
        digest.update(np.ascontiguousarray(array).tobytes())
    for array in (catalogue.category, catalogue.brand, catalogue.price):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:8]


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

"""A recipe learned and judged on the splits of a night, and what is registered of it."""

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
from numpy.typing import NDArray

from include.recommender import evaluation, gate, learning
from include.recommender.artifact import RecommenderModel
from include.recommender.evaluation import Evaluation, ListMaking
from include.recommender.learning import Lessons, Split
from include.recommender.pair_features import feature_names
from include.recommender.ranker import Ranker
from include.recommender.recipe import Recipe
from include.recommender.registry import Entry
from include.recommender.shop import Shop, date_of, day_number
from include.recommender.two_stage import TwoStage
from include.recommender.vocabulary import REJECTED, TWO_STAGE
from include.settings import RecommenderSettings

logger = logging.getLogger(__name__)

LEANS_ON = 15
"""So many features of a ranker are kept in the metrics: those it leans on most."""


@dataclass(frozen=True)
class Night:
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
    def making(self) -> ListMaking:
        return ListMaking.of_settings(self.settings)

    @property
    def seed(self) -> int:
        return self.settings.seed + day_number(self.business_date)


@dataclass(frozen=True)
class Judged:
    """A recipe with what it learned. judges know nothing of the newest hidden part, rankers all.

    judges_know: the last day that judges have learned from. evaluation: None where history is too short to split.
    """

    recipe: Recipe
    rankers: Mapping[str, Ranker]
    judges: Mapping[str, Ranker]
    learned_on: date
    judges_know: date
    evaluation: Evaluation | None


def unjudged(night: Night, recipe: Recipe) -> Judged:
    return Judged(recipe, {}, {}, night.business_date, night.business_date, None)


def judge(night: Night, recipe: Recipe, former: RecommenderModel | None) -> Judged:
    """``recipe`` learned and judged on the night's splits; what ``former`` learned is kept where it still holds."""
    if not night.splits:
        return unjudged(night, recipe)
    kept = kept_order(night, recipe, former)
    started, threads = time.perf_counter(), night.settings.threads
    newest, older = night.splits[0], night.splits[1:]
    numbers = learning.drawn(newest.buyers, night.settings.evaluation_customers, night.seed)
    # Too short for a second cut: half of the customers teach, and the others judge, whatever is judged.
    teaching, numbers = (numbers, numbers) if older else (numbers[::2], numbers[1::2])
    fitted = TwoStage.fit(newest.past, recipe, threads=threads)
    told: list[Lessons] = []
    if kept is None and older:
        count = night.settings.learning_customers
        told = learning.teach(older, recipe, customers=count, seed=night.seed, threads=threads)
    elif kept is None:
        told = [learning.lessons(fitted, newest, teaching, seed=night.seed, threads=threads)]
    judges = dict(kept.judges) if kept else learning.learn(told, recipe, threads=threads)
    traits = fitted.traits(night.shop.items.catalogue, night.shop.items.margin)
    listed = evaluation.make_lists(
        replace(fitted, rankers=judges), newest, numbers, traits, night.making, seed=night.seed, threads=threads
    )
    judged = evaluation.evaluate(
        listed,
        newest,
        fitted.facts,
        traits,
        night.making,
        segments=night.segments,
        draws=night.settings.bootstrap_samples,
        seed=[night.seed],
    )
    rankers = kept.fitted.rankers if kept else learning.learn([listed.lessons, *told], recipe, threads=threads)
    logger.info("judged on %d customers in %.3gs", len(numbers), time.perf_counter() - started)
    if kept:
        return Judged(recipe, rankers, judges, kept.learned_on, kept.judges_know, judged)
    # A random part, or half of the customers of the only cut, hides nothing of the newest days from whoever learns.
    known = date_of(newest.past.today) if night.cuts_in_time else night.business_date
    return Judged(recipe, rankers, judges, night.business_date, known, judged)


def kept_order(night: Night, recipe: Recipe, former: RecommenderModel | None) -> RecommenderModel | None:
    """``former`` where its order of candidates still holds: the same recipe, learned not long ago."""
    if former is None or former.fitted.recipe != recipe or former.target != night.shop.target:
        return None
    if not night.cuts_in_time or day_number(former.judges_know) > night.splits[0].past.today:
        # What judges was hidden from the kept order only where all that taught it lies before.
        return None
    names = feature_names(recipe.parts)
    if any(ranker.names != names for ranker in (*former.fitted.rankers.values(), *former.judges.values())):
        return None
    age = (night.business_date - former.learned_on).days
    return former if 0 < age < night.settings.learn_again_after_days else None


def verdict_of(
    night: Night, judged: Judged, incumbent: Judged | None, champion_id: str | None, *, refresh: bool = False
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


def metrics_of(night: Night, judged: Judged, verdict: gate.Verdict) -> dict[str, Any]:
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


def parameters_of(judged: Judged, origin: str) -> dict[str, Any]:
    return {"recipe": judged.recipe.as_json(), "origin": origin, "learned_on": judged.learned_on.isoformat()}


def digest(parameters: Mapping[str, Any], night: Night, former: str = "") -> str:
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


def entry_without_artifact(night: Night, judged: Judged, verdict: gate.Verdict, origin: str) -> Entry:
    """A rejected recipe is not fitted on all data: nobody could be served by it."""
    parameters = parameters_of(judged, origin)
    model_id = f"{TWO_STAGE}-{night.business_date}-{digest(parameters, night)}-{REJECTED}"
    return Entry(model_id, TWO_STAGE, parameters, "", "", metrics_of(night, judged, verdict), False, verdict.reason)

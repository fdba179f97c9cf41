"""Tune the recipe in force on what is known, and put what was found before the next night as a challenger."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass

from sqlalchemy import URL, Engine, text
from threadpoolctl import threadpool_limits

from include.recommender import learning, reading, registry, tuning
from include.recommender.recipe import Recipe
from include.recommender.shop import read_shop
from include.recommender.vocabulary import PLAIN, PROPOSAL
from include.settings import Settings

logger = logging.getLogger(__name__)

SCHEMA = "lamplighter_tuning"
"""Where Optuna keeps its own tables, beside ours."""


@dataclass(frozen=True)
class TuningSummary:
    """model_id: of the proposal, "" where nothing better was found; reason: in a sentence."""

    business_date: str
    model_id: str
    reason: str
    trials: int


def tune_recommender(engine: Engine, settings: Settings, *, minutes: float) -> TuningSummary:
    """Search for ``minutes`` for better parameters of the recipe in force, and propose them.

    The search knows what the last night's ``interactions`` know, up to the end of its business date. It judges by
    cuts before the last, so that the night, which judges by that, does so on days that no parameter was chosen for.
    Run again after the same night and with the same recipe, it goes on where it was.

    Where there is but one cut, or a random part is hidden instead, the night judges by what was tuned on:
    ``splits`` and ``in_time`` of the model's metrics tell.

    Raises ValueError where no night has run yet.
    """
    recommender = settings.recommender
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        business_date = reading.date_of_interactions(connection)
        champion = registry.model_in_force(connection, business_date)
        shop = read_shop(connection, settings, business_date)
    recipe = Recipe.of_settings(recommender.models, recommender.ranker)
    if champion is not None and champion.algorithm != PLAIN:
        recipe = Recipe.of_json(champion.parameters["recipe"])
    days = learning.horizon(shop.history, recommender.evaluation_days)
    splits = learning.splits(shop.history, days=days, count=3, seed=recommender.seed)
    if not splits:
        return TuningSummary(
            business_date.isoformat(), "", "Nothing to tune on yet: too few customers have come back.", 0
        )
    digest = hashlib.sha256(json.dumps(recipe.as_json(), sort_keys=True).encode()).hexdigest()[:8]
    study = f"{business_date}-{digest}"
    with threadpool_limits(1, user_api="blas"):
        tuned = tuning.tune(
            recipe,
            splits[1:] or splits,
            seconds=60 * minutes,
            storage=_storage(engine),
            study=study,
            customers=recommender.evaluation_customers,
            seed=recommender.seed,
            threads=recommender.threads,
        )
    trials = sum(part.trials for part in tuned.parts.values())
    if not tuned.found:
        return TuningSummary(business_date.isoformat(), "", f"Nothing better was found in {trials} trials.", trials)
    gains = ", ".join(f"{name} {tuned.parts[name].before:.4f} → {tuned.parts[name].after:.4f}" for name in tuned.found)
    reason = f"Proposed: nDCG@10 of lists of their own in {trials} trials: {gains}; the next night judges the whole."
    model_id = f"{PROPOSAL}-{study}"
    with engine.begin() as connection:
        registry.propose(
            connection, model_id, business_date, tuned.recipe.as_json(), {"parts": tuning.as_json(tuned)}, reason
        )
    logger.info("%s. %s", model_id, reason)
    return TuningSummary(business_date.isoformat(), model_id, reason, trials)


def _storage(engine: Engine) -> tuning.BaseStorage:
    """Optuna's own tables in a schema of their own in the same database."""
    from optuna.storages import RDBStorage

    with engine.begin() as connection:
        connection.execute(text(f"create schema if not exists {SCHEMA}"))
    url: URL = engine.url.update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    return RDBStorage(url.render_as_string(hide_password=False))

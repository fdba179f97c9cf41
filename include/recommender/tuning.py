"""The weekly search for better parameters: each part by what it lists alone, on a cut that no night judges by.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) proposes, beginning with what is in force, so that the
outcome is never worse on the cut. Trials are kept in a storage: a search that was stopped goes on where it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import learning, metrics
from include.recommender.history import Numbers
from include.recommender.learning import Split
from include.recommender.metrics import CUTOFF, Relevance
from include.recommender.models import model_of
from include.recommender.models.interface import best
from include.recommender.recipe import Recipe
from include.recommender.two_stage import not_to_list

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.storages import BaseStorage

logger = logging.getLogger(__name__)

MINIMUM_CUSTOMERS = 50
HALF_LIVES = (7.0, 400.0)
"""Days."""

Space = Callable[["Trial"], dict[str, Any]]


def _half_life(trial: Trial, name: str = "half_life_days") -> dict[str, float]:
    return {name: trial.suggest_float(name, *HALF_LIVES, log=True)}


def _als(trial: Trial) -> dict[str, Any]:
    return _half_life(trial) | {
        "factors": trial.suggest_categorical("factors", [32, 64, 128]),
        "regularization": trial.suggest_float("regularization", 1.0, 60.0, log=True),
        "alpha": trial.suggest_float("alpha", 0.5, 20.0, log=True),
        "transform": trial.suggest_categorical("transform", ["root", "log", "binary"]),
        "frequency_scaling": trial.suggest_categorical("frequency_scaling", [0.0, 0.5, 1.0]),
    }


def _ease(trial: Trial) -> dict[str, Any]:
    return _half_life(trial) | {
        "regularization": trial.suggest_float("regularization", 20.0, 2000.0, log=True),
        "power": trial.suggest_categorical("power", [0.0, 0.5, 1.0]),
    }


def _item_neighbours(trial: Trial) -> dict[str, Any]:
    return _half_life(trial) | {
        "neighbours": trial.suggest_int("neighbours", 20, 500, log=True),
        "power": trial.suggest_categorical("power", [0.0, 0.5, 1.0]),
    }


def _user_neighbours(trial: Trial) -> dict[str, Any]:
    votes = _half_life(trial, "votes_half_life_days")
    return _half_life(trial) | votes | {"neighbours": trial.suggest_int("neighbours", 20, 500, log=True)}


SPACES: Mapping[str, tuple[str, Space]] = {
    "als": (DISCOVERY, _als),
    "ease": (DISCOVERY, _ease),
    "item_neighbours": (DISCOVERY, _item_neighbours),
    "user_neighbours": (DISCOVERY, _user_neighbours),
    "own_history": (NEXT_PURCHASE, _half_life),
    "popularity": (NEXT_PURCHASE, _half_life),
}
"""For which purpose each part is tuned, and what may be chosen. Others follow from these or have little to choose."""


@dataclass(frozen=True)
class TunedPart:
    """nDCG@10 of a part's own lists: as it was, and with the best parameters found in ``trials`` trials."""

    before: float
    after: float
    trials: int


@dataclass(frozen=True)
class Tuned:
    """recipe: with the better parameters, where any were found. parts: by name, those that were tuned."""

    recipe: Recipe
    parts: Mapping[str, TunedPart]

    @property
    def found(self) -> list[str]:
        return [name for name, part in self.parts.items() if part.after > part.before]


def tune(
    recipe: Recipe,
    splits: Sequence[Split],
    *,
    seconds: float,
    storage: BaseStorage,
    study: str,
    customers: int,
    trials: int = 60,
    seed: int = 1,
    threads: int = 1,
) -> Tuned:
    """Search each part of SPACES for its share of ``seconds``, or until ``trials`` are done.

    study: names the search in ``storage``; of the same name it goes on. customers: so many of each split are judged.
    """
    drawn = [learning.drawn(learning.known_buyers(split), customers, seed) for split in splits]
    chosen = [name for name in recipe.parts if name in SPACES]
    parts, changed = dict(recipe.parts), {}
    deadline = time.monotonic() + seconds
    for place, name in enumerate(chosen):
        # What one part leaves over of its time, the others have.
        share = (deadline - time.monotonic()) / (len(chosen) - place)
        judged, purpose = [*zip(splits, drawn, strict=True)], SPACES[name][0]
        if not all(_has_enough(split, numbers, purpose) for split, numbers in judged):
            purpose = NEXT_PURCHASE
        objective = _Objective(judged, purpose, threads)
        of_part = f"{study}-{name}"
        parts[name], found = _search(name, parts[name], objective, share, storage, of_part, trials, seed)
        changed[name] = found
        logger.info(
            "%s: nDCG@10 %.4f → %.4f in %d trials for %s", name, found.before, found.after, found.trials, purpose
        )
    return Tuned(replace(recipe, parts=parts), changed)


@dataclass(frozen=True)
class _Objective:
    """nDCG@10 of what a model lists alone, among customers who bought anything relevant; the mean of the splits'."""

    judged: list[tuple[Split, Numbers]]
    purpose: str
    threads: int

    def of(self, parameters: Any) -> float:
        return float(np.mean([self._on(split, numbers, parameters) for split, numbers in self.judged]))

    def _on(self, split: Split, numbers: Numbers, parameters: Any) -> float:
        model = model_of(parameters).fit(split.past, parameters, threads=self.threads)
        history = split.past.of_customers(numbers)
        refused = not_to_list(history, self.purpose)
        listed, _ = best(model.scores(history, threads=self.threads), CUTOFF, excluded=refused)
        relevance = _relevance(split, numbers, self.purpose)
        some = relevance.counts > 0
        return float(metrics.ndcg(metrics.hits(listed, relevance), relevance.counts)[some].mean())


def _relevance(split: Split, numbers: Numbers, purpose: str) -> Relevance:
    customer, item = split.relevant(purpose)
    row = np.full(split.past.customers, -1, np.int64)
    row[numbers] = np.arange(len(numbers))
    judged = row[customer] >= 0
    return Relevance.of(row[customer[judged]], item[judged], len(numbers))


def _has_enough(split: Split, numbers: Numbers, purpose: str) -> bool:
    return int((_relevance(split, numbers, purpose).counts > 0).sum()) >= MINIMUM_CUSTOMERS


def _search(
    name: str,
    parameters: Any,
    objective: _Objective,
    seconds: float,
    storage: BaseStorage,
    study_name: str,
    trials: int,
    seed: int,
) -> tuple[Any, TunedPart]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=study_name,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=seed),
    )
    before = study.user_attrs.get("before")
    if before is None:
        before = objective.of(parameters)
        study.set_user_attr("before", before)
    space = SPACES[name][1]
    done = len([trial for trial in study.trials if trial.state.is_finished()])
    if done < trials and seconds > 0:
        study.optimize(
            lambda trial: objective.of(replace(parameters, **space(trial))), n_trials=trials - done, timeout=seconds
        )
    finished = [trial for trial in study.trials if trial.value is not None]
    if not finished or study.best_value <= before:
        return parameters, TunedPart(before, before, len(finished))
    return replace(parameters, **study.best_params), TunedPart(before, study.best_value, len(finished))


def as_json(tuned: Tuned) -> dict[str, Any]:
    """The parts' figures, for ``models.metrics``."""
    return {name: {key: round(value, 6) for key, value in asdict(part).items()} for name, part in tuned.parts.items()}

"""The weekly search: better on its cut or nothing, in its time, and going on where it was stopped."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import recommender_shop as shop
from optuna.storages import InMemoryStorage

from include.recommender import tuning
from include.recommender.learning import Split, cut_at
from include.recommender.models import ImplicitAlsParameters, PopularityParameters
from include.recommender.recipe import Recipe

SPLIT = cut_at(shop.HISTORY, shop.TODAY - 28, 28)
POOR = Recipe(
    {
        "als": ImplicitAlsParameters(factors=32, regularization=60.0, half_life_days=7.0),
        "popularity": PopularityParameters(),
    }
)


def tune(
    recipe: Recipe = POOR, *, trials: int = 6, seconds: float = 60.0, storage: InMemoryStorage | None = None
) -> tuning.Tuned:
    return tuning.tune(
        recipe,
        [SPLIT],
        seconds=seconds,
        storage=storage or InMemoryStorage(),
        study="test",
        customers=1000,
        trials=trials,
    )


def test_poor_parameters_are_bettered_and_the_gain_is_true() -> None:
    found = tune()
    part = found.parts["als"]
    assert "als" in found.found
    assert part.trials == 6
    assert part.after > part.before
    again = tune(found.recipe, trials=0)
    assert again.parts["als"].before == pytest.approx(part.after)
    assert found.recipe.parts["als"] != POOR.parts["als"]


def test_nothing_better_leaves_the_recipe_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tuning, "SPACES", {name: (purpose, lambda _: {}) for name, (purpose, _) in tuning.SPACES.items()}
    )
    found = tune(trials=2)
    assert found.found == []
    assert found.recipe == POOR


def test_a_search_that_was_stopped_goes_on_where_it_was() -> None:
    storage = InMemoryStorage()
    first = tune(trials=2, storage=storage)
    second = tune(trials=5, storage=storage)
    assert (first.parts["als"].trials, second.parts["als"].trials) == (2, 5)
    assert second.parts["als"].before == first.parts["als"].before
    assert second.parts["als"].after >= first.parts["als"].after
    assert tune(trials=5, storage=storage) == second


def test_the_search_keeps_to_its_time() -> None:
    started = time.monotonic()
    found = tune(trials=100_000, seconds=2.0)
    # A trial that has begun is finished.
    assert time.monotonic() - started < 10
    assert all(part.trials > 0 for part in found.parts.values())


@pytest.mark.parametrize("others", [(), (0,)], ids=["one cut", "and one where somebody does"])
def test_where_nobody_takes_up_anything_new_repeat_purchases_decide(others: tuple[int, ...]) -> None:
    past = SPLIT.past
    known = np.isin(SPLIT.customer * past.items + SPLIT.item, past.pairs.customer * past.items + past.pairs.item)
    again = Split(past, SPLIT.customer[known], SPLIT.item[known], in_time=True)
    found = tuning.tune(
        replace(POOR, parts={"als": POOR.parts["als"]}),
        [*(SPLIT for _ in others), again],
        seconds=60,
        storage=InMemoryStorage(),
        study="test",
        customers=1000,
        trials=1,
    )
    assert found.parts["als"].before > 0

"""What every candidate model must do, whichever it is, on a shop whose tastes are known."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from include.recommender.history import UNKNOWN, Catalogue, History
from include.recommender.item_facts import ItemFacts
from include.recommender.models import (
    CANDIDATE_MODELS,
    Attributes,
    AttributesParameters,
    Ease,
    EaseParameters,
    ImplicitAls,
    ImplicitAlsParameters,
    ItemNeighbours,
    ItemNeighboursParameters,
    OwnHistory,
    OwnHistoryParameters,
    Popularity,
    PopularityParameters,
    ProfileRidge,
    ProfileRidgeParameters,
    UserNeighbours,
    UserNeighboursParameters,
)
from include.recommender.models.interface import NOTHING, REACH, best

TODAY = 17_500
CUSTOMERS, ITEMS = 120, 40
SILENT, NEW_ITEM = CUSTOMERS - 1, ITEMS - 1
"""A customer who did nothing, and an item that nobody met, of the second group's category."""
GROUP = np.arange(ITEMS) * 2 // ITEMS
"""Items 0 to 19 are the taste of even customers, the others that of odd ones."""

MODELS: list[tuple[Any, Any]] = [
    (Popularity, PopularityParameters()),
    (Popularity, PopularityParameters(counts="customers")),
    (OwnHistory, OwnHistoryParameters()),
    (ItemNeighbours, ItemNeighboursParameters()),
    (UserNeighbours, UserNeighboursParameters(neighbours=20)),
    (ImplicitAls, ImplicitAlsParameters(factors=8, regularization=1.0)),
    (ImplicitAls, ImplicitAlsParameters(factors=8, transform="log", frequency_scaling=0.0)),
    (Ease, EaseParameters(regularization=5.0)),
    (Attributes, AttributesParameters()),
    (ProfileRidge, ProfileRidgeParameters(regularization=1.0)),
]
every_model = pytest.mark.parametrize(
    ("kind", "parameters"), MODELS, ids=[f"{kind.name}-{place}" for place, (kind, _) in enumerate(MODELS)]
)


def shop() -> History:
    random = np.random.default_rng(1)
    customer = random.integers(0, SILENT, 6_000)
    own = random.random(6_000) < 0.95
    group = np.where(own, customer % 2, 1 - customer % 2)
    item = group * (ITEMS // 2) + np.minimum(random.geometric(0.12, 6_000) - 1, ITEMS // 2 - 2)
    # A fifth of the pairs is never seen, so that there is something left to find.
    seen = (customer * 7 + item * 13) % 5 > 0
    catalogue = Catalogue(GROUP.astype(np.int64), GROUP.astype(np.int64), 1.0 + GROUP)
    day = TODAY - random.integers(0, 90, 6_000)
    return History.of(CUSTOMERS, catalogue, TODAY, customer[seen], item[seen], day[seen])


SHOP = shop()


def test_no_model_is_left_out() -> None:
    assert {kind for kind, _ in MODELS} == set(CANDIDATE_MODELS)


@every_model
def test_the_same_history_gives_the_same_model_on_any_number_of_threads(kind: Any, parameters: Any) -> None:
    one, two = (kind.fit(SHOP, parameters, threads=threads).arrays() for threads in (1, 2))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)


@every_model
def test_a_row_is_the_same_among_any_other_customers(kind: Any, parameters: Any) -> None:
    model = kind.fit(SHOP, parameters)
    together = model.scores(SHOP)
    for chosen in (np.array([7]), np.array([90, 3, SILENT, 7])):
        apart = model.scores(SHOP.of_customers(chosen))
        assert (apart.toarray() == together[chosen].toarray()).all()


@every_model
def test_scores_are_above_zero_in_order_and_bounded(kind: Any, parameters: Any) -> None:
    scores = kind.fit(SHOP, parameters).scores(SHOP)
    assert isinstance(scores, csr_matrix)
    assert scores.shape == (CUSTOMERS, ITEMS)
    assert scores.dtype == np.float32
    assert scores.has_sorted_indices
    assert (scores.data > 0).all()
    assert np.diff(scores.indptr).max() <= REACH
    assert np.diff(scores.indptr)[:SILENT].min() > 0


@every_model
def test_an_artifact_without_pickles_brings_the_model_back(kind: Any, parameters: Any) -> None:
    model = kind.fit(SHOP, parameters)
    file = io.BytesIO()
    np.savez(file, **model.arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        restored = kind.restore(asdict(model.parameters), dict(arrays))
    assert restored.parameters == model.parameters
    assert (restored.scores(SHOP).toarray() == model.scores(SHOP).toarray()).all()


@every_model
def test_who_did_nothing_has_no_score_but_popularity(kind: Any, parameters: Any) -> None:
    scores = kind.fit(SHOP, parameters).scores(SHOP)
    assert (scores[SILENT].nnz > 0) == (kind is Popularity)


@every_model
def test_an_item_that_nobody_met_is_scored_by_attributes_alone(kind: Any, parameters: Any) -> None:
    scores = kind.fit(SHOP, parameters).scores(SHOP)
    assert (scores[:, [NEW_ITEM]].nnz > 0) == (kind is Attributes)


@every_model
def test_a_shop_where_nothing_happened_has_no_scores(kind: Any, parameters: Any) -> None:
    nobody = np.zeros(0, np.int64)
    empty = History.of(3, SHOP.catalogue, TODAY, nobody, nobody, nobody)
    assert kind.fit(empty, parameters).scores(empty).nnz == 0


@every_model
def test_a_batch_of_no_customers_has_no_rows(kind: Any, parameters: Any) -> None:
    scores = kind.fit(SHOP, parameters).scores(SHOP.of_customers(np.zeros(0, np.int64)))
    assert scores.shape == (0, ITEMS)


@every_model
def test_what_is_new_to_a_customer_is_found_in_the_own_group(kind: Any, parameters: Any) -> None:
    """Popularity cannot know, and own history knows nothing new; the others must be right four times in five."""
    scores = kind.fit(SHOP, parameters).scores(SHOP)
    items, _ = best(scores, 1, excluded=SHOP.matrix(SHOP.pairs.days))
    found = items[:SILENT, 0] != NOTHING
    right = GROUP[items[:SILENT, 0]] == np.arange(SILENT) % 2
    if kind is OwnHistory:
        assert not found.any()
    elif kind is Popularity:
        assert right[found].mean() < 0.7
    else:
        assert found.mean() > 0.9
        assert right[found].mean() > 0.8


def test_weights_are_halved_by_half_lives_and_returns_take_away() -> None:
    number = np.array([0, 0, 0, 1, 1])
    item = np.array([2, 2, 0, 1, 1])
    day = np.array([TODAY, TODAY - 10, TODAY - 20, TODAY - 3, TODAY - 3])
    history = History.of(2, Catalogue.bare(3), TODAY, number, item, day, np.array([1.0, 1.0, 4.0, 1.0, -1.0]))
    assert history.weights(10).toarray().tolist() == [[1.0, 0.0, 1.5], [0.0, 0.0, 0.0]]
    assert history.weights().toarray().tolist() == [[4.0, 0.0, 2.0], [0.0, 0.0, 0.0]]
    assert history.pairs.days.tolist() == [1, 2, 1]
    assert history.up_to(TODAY - 5).weights(5).toarray().tolist() == [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]


def test_a_day_after_the_last_one_is_refused_as_a_leak() -> None:
    with pytest.raises(ValueError, match=r"day 17501 lies after 17500"):
        History.of(1, Catalogue.bare(1), TODAY, np.array([0]), np.array([0]), np.array([TODAY + 1]))


def test_best_agrees_with_a_full_sort() -> None:
    random = np.random.default_rng(2)
    dense = np.where(random.random((50, 30)) < 0.5, random.integers(-2, 5, (50, 30)), 0).astype(np.float32)
    excluded, allowed = random.random((50, 30)) < 0.2, random.random(30) < 0.8
    items, values = best(csr_matrix(dense), 6, excluded=csr_matrix(excluded), allowed=allowed)
    for row in range(50):
        kept = [item for item in range(30) if dense[row, item] > 0 and allowed[item] and not excluded[row, item]]
        want = sorted(kept, key=lambda item: (-dense[row, item], item))[:6]
        assert items[row].tolist() == want + [NOTHING] * (6 - len(want))
        assert values[row].tolist() == [float(dense[row, item]) for item in want] + [0.0] * (6 - len(want))


def test_frequency_scaling_lets_rare_items_be_learned() -> None:
    """With ν = 1 a rare item is regularised less than an average one, a frequent one more."""
    flat, scaled = (
        ImplicitAls.fit(SHOP, ImplicitAlsParameters(factors=8, regularization=20.0, frequency_scaling=power))
        for power in (0.0, 1.0)
    )
    met = np.bincount(SHOP.pairs.item, minlength=ITEMS)
    rare, frequent = np.argmin(np.where(met >= 5, met, met.max())), np.argmax(met)
    gain = np.linalg.norm(scaled.item_factors, axis=1) / np.maximum(np.linalg.norm(flat.item_factors, axis=1), 1e-9)
    assert gain[rare] > gain[frequent]


def test_a_warm_start_needs_few_iterations() -> None:
    parameters = ImplicitAlsParameters(factors=8, regularization=1.0, iterations=20)
    few = ImplicitAlsParameters(factors=8, regularization=1.0, iterations=2)
    cold = ImplicitAls.fit(SHOP, parameters)
    warm, hurried = ImplicitAls.fit(SHOP, few, start=cold.item_factors), ImplicitAls.fit(SHOP, few)
    want = cold.scores(SHOP).toarray()
    missed = [float(np.abs(model.scores(SHOP).toarray() - want).mean()) for model in (warm, hurried)]
    assert missed[0] < missed[1] / 5


@pytest.mark.parametrize("kind", [ItemNeighbours, Ease])
def test_an_item_does_not_speak_for_itself(kind: Any) -> None:
    parameters = dict(MODELS)[kind]
    learned = kind.fit(SHOP, parameters).arrays()
    name = "likeness" if kind is ItemNeighbours else "weights"
    rows = np.repeat(np.arange(ITEMS), np.diff(learned[f"{name}_indptr"]))
    assert (rows != learned[f"{name}_indices"]).all()


def test_a_customer_is_no_neighbour_of_their_own() -> None:
    """Two customers who share nothing have nobody to learn from."""
    history = History.of(2, Catalogue.bare(4), TODAY, np.arange(4) // 2, np.arange(4), np.full(4, TODAY))
    assert UserNeighbours.fit(history, UserNeighboursParameters()).scores(history).nnz == 0


def test_what_is_popular_in_a_segment_is_shrunk_towards_everyones() -> None:
    """Two segments with a taste of their own; a third of one customer, who can hardly change what everyone wants."""
    customer = np.arange(101)
    segment = np.where(customer == 100, 2, customer % 2)
    item = np.where(customer == 100, 3, segment)
    day = np.full(101, TODAY)
    history = History.of(101, Catalogue.bare(4), TODAY, customer, item, day, segment=segment)
    model = Popularity.fit(history, PopularityParameters(segment_strength=10.0))
    everyone = np.array([50, 50, 0, 1])
    scores = model.scores(history).toarray()
    np.testing.assert_allclose(scores[0], (everyone * 10 + np.array([50, 0, 0, 0]) * 101) / 60, rtol=1e-5)
    np.testing.assert_allclose(scores[1], (everyone * 10 + np.array([0, 50, 0, 0]) * 101) / 60, rtol=1e-5)
    assert scores[100].argmax() in (0, 1)
    nobody = np.zeros(0, np.int64)
    newcomers = History.of(3, Catalogue.bare(4), TODAY, nobody, nobody, nobody, segment=np.array([1, UNKNOWN, 7]))
    np.testing.assert_array_equal(model.scores(newcomers).toarray()[0], scores[1])
    np.testing.assert_array_equal(model.scores(newcomers).toarray()[1:], np.tile(everyone, (2, 1)))


def test_what_is_very_old_still_weighs_something() -> None:
    """At a half-life of 14 days, eight years are 2⁻²⁰⁹: nothing in single precision, and then nobody's taste."""
    history = History.of(
        1, Catalogue.bare(2), TODAY, np.zeros(2, np.int64), np.arange(2), np.array([TODAY - 2920, TODAY])
    )
    old, new = history.weights(14.0).toarray()[0]
    assert 0 < old < 1e-12 < new
    assert old * old > np.finfo(np.float32).tiny


def test_of_a_shop_that_slept_for_decades_it_is_known_what_was_popular() -> None:
    whole = shop()
    asleep = replace(whole, today=TODAY + 9000)
    for counts in ("days", "customers"):
        assert Popularity.fit(asleep, PopularityParameters(counts=counts)).scores(asleep).nnz
    facts = ItemFacts.of(asleep)
    assert facts.of_name("popularity_30")[whole.pairs.item].all()
    assert np.isfinite(facts.of_name("trend_7")).all()


def test_shares_of_a_customer_are_whole_however_long_ago_all_was() -> None:
    """The brand counts for as much as it did when it was fresh."""
    whole = shop()
    model = Attributes.fit(whole, AttributesParameters())
    once = whole.chosen(whole.day == whole.day.max())
    ages = [replace(once, today=int(once.day.max()) + days) for days in (0, 7000)]
    fresh, old = (model.scores(history).toarray() for history in ages)
    assert fresh.any()
    np.testing.assert_allclose(old, fresh, rtol=1e-4)


@every_model
def test_a_customer_silent_for_years_is_served_by_what_they_did_then(kind: Any, parameters: Any) -> None:
    history = shop()
    old = np.flatnonzero(history.customer == 0)
    day = history.day.copy()
    day[old] -= 4000
    aged = History.of(
        CUSTOMERS, history.catalogue, TODAY, history.customer, history.item, day, history.weight, history.bought
    )
    scores = kind.fit(aged, parameters).scores(aged).getrow(0).toarray()[0]
    assert np.isfinite(scores).all()
    assert scores.any()

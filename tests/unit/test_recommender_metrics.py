"""Metrics against cases worked by hand and against scikit-learn; the interval against the truth it should cover."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from include.recommender import candidates, evaluation, fallback, metrics, shards, shop
from include.recommender.metrics import Relevance
from include.recommender.models import interface


@pytest.mark.parametrize(
    "module", [candidates, evaluation, fallback, interface, metrics, shards, shop], ids=lambda module: module.__name__
)
def test_examples_in_docstrings_hold(module: object) -> None:
    outcome = doctest.testmod(module)  # type: ignore[arg-type]  # the parameter is a module
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_worked_case() -> None:
    """Two customers; the first bought 7 and 9 of the list 9, 1, 7; the second bought one thing no list can hold."""
    ranked = np.array([[9, 1, 7], [9, 1, -1]])
    relevance = Relevance.of(np.array([0, 0, 1]), np.array([7, 9, 5000]), 2)
    hit = metrics.hits(ranked, relevance)
    assert hit.tolist() == [[True, False, True], [False, False, False]]
    ideal = 1 + 1 / np.log2(3)
    assert metrics.ndcg(hit, relevance.counts) == pytest.approx([(1 + 1 / 2) / ideal, 0])
    assert metrics.recall(hit, relevance.counts) == pytest.approx([1, 0])
    assert metrics.average_precision(hit, relevance.counts) == pytest.approx([(1 + 2 / 3) / 2, 0])
    assert metrics.coverage(ranked, 10) == pytest.approx(0.3)


def test_ndcg_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    relevant = generator.random((40, 30)) < 0.2
    scores = generator.random((40, 30))
    ranked = np.argsort(-scores, axis=1)[:, :10]
    rows, items = np.nonzero(relevant)
    relevance = Relevance.of(rows, items, 40)
    ours = metrics.ndcg(metrics.hits(ranked, relevance), relevance.counts)
    assert ours.mean() == pytest.approx(ndcg_score(relevant.astype(int), scores, k=10))


def test_the_end_of_a_list_is_never_a_hit() -> None:
    """-1 of the second customer must not be taken for the last item of the first."""
    relevance = Relevance.of(np.array([0]), np.array([4]), 2)
    assert not metrics.hits(np.array([[0], [-1]]), relevance).any()


def test_interval_is_reproducible_and_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for sample in range(400):
        found = metrics.bootstrap_interval(generator.exponential(1.0, 100), 400, [1, sample])
        covered += found.low <= 1.0 <= found.high
    assert 0.89 <= covered / 400 <= 0.98
    values = generator.random(50)
    assert metrics.bootstrap_interval(values, 500, [7]) == metrics.bootstrap_interval(values, 500, [7])
    assert metrics.bootstrap_interval(values, 500, [7]) != metrics.bootstrap_interval(values, 500, [8])


def test_paired_interval_is_narrower_than_the_difference_of_two() -> None:
    generator = np.random.default_rng(6)
    base = generator.random(300)
    better = base + 0.02
    found = metrics.bootstrap_interval(better - base, 300, [1])
    assert found.low == pytest.approx(0.02)
    assert found.high == pytest.approx(0.02)


def test_intervals_of_several_lists_are_those_of_each_alone() -> None:
    """The same customers are drawn for every list, across blocks of draws too."""
    values = np.random.default_rng(8).random((700, 3))
    together = metrics.bootstrap_intervals(values, 400, [2])
    for found, column in zip(together, values.T, strict=True):
        alone = metrics.bootstrap_interval(column, 400, [2])
        assert (found.mean, found.low, found.high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_draws_are_counted_the_same_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(9).random(50)
    at_once = metrics.bootstrap_interval(values, 30, [3])
    monkeypatch.setattr(metrics, "COUNTS_AT_ONCE", 7 * len(values))
    in_blocks = metrics.bootstrap_interval(values, 30, [3])
    assert (in_blocks.low, in_blocks.high) == pytest.approx((at_once.low, at_once.high))


def test_interval_is_as_wide_as_the_central_limit_theorem_says() -> None:
    values = np.random.default_rng(10).random(4000)
    found = metrics.bootstrap_interval(values, 2000, [4])
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(len(values)), rel=0.08)


def test_relevance_of_some_customers_is_numbered_anew() -> None:
    relevance = Relevance.of(np.array([3, 0, 1, 3]), np.array([7, 8, 9, 6]), 5)
    some = relevance.of_customers(np.array([1, 3, 4]))
    assert sorted(zip(some.rows.tolist(), some.items.tolist(), strict=True)) == [(0, 9), (1, 6), (1, 7)]
    assert some.counts.tolist() == [1, 2, 0]


def test_no_customers_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no customers"):
        metrics.bootstrap_interval(np.zeros(0), 100, [1])

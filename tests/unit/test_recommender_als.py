"""ALS on planted structure, its reasons against the library's own, and its lists without fillers."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from include.recommender.history import Catalogue, History
from include.recommender.models import ImplicitAls, ImplicitAlsParameters
from include.recommender.models import best_items as best_items_module
from include.recommender.models.best_items import Factors, best_items
from include.recommender.models.interface import NOTHING

SIZE = 50
PARAMETERS = ImplicitAlsParameters(
    factors=6, regularization=0.5, alpha=4.0, iterations=20, frequency_scaling=0.0, transform="raw", seed=3
)


def history_of(pairs: csr_matrix) -> History:
    """Every pair once, today, with its weight."""
    rows, columns = pairs.nonzero()
    weights = np.asarray(pairs[rows, columns], np.float64).ravel()
    day = np.zeros(len(rows), np.int64)
    catalogue = Catalogue.bare(pairs.shape[1])
    return History.of(pairs.shape[0], catalogue, 0, rows.astype(np.int64), columns.astype(np.int64), day, weights)


def checkerboard() -> csr_matrix:
    """Customer and item of the same parity go together, but each customer's own diagonal item is withheld."""
    rows, columns = np.indices((SIZE, SIZE))
    return csr_matrix(((rows % 2 == columns % 2) & (rows != columns)).astype(np.float32))


BOARD = checkerboard()


@pytest.fixture(scope="module")
def model() -> ImplicitAls:
    return ImplicitAls.fit(history_of(BOARD), PARAMETERS)


@pytest.fixture(scope="module")
def customers(model: ImplicitAls) -> Factors:
    return model.customer_factors(history_of(BOARD))


def test_withheld_item_comes_first(model: ImplicitAls, customers: Factors) -> None:
    listed, _ = best_items(model.item_factors, customers, 1, excluded=BOARD)
    np.testing.assert_array_equal(listed[:, 0], np.arange(SIZE))


def test_what_only_one_customer_knows_has_no_factors() -> None:
    lonely = BOARD.tolil()
    lonely[:, 7] = 0
    lonely[1, 7] = 1
    factors = ImplicitAls.fit(history_of(lonely.tocsr()), PARAMETERS).item_factors
    assert np.flatnonzero(~factors.any(axis=1)).tolist() == [7]
    assert not ImplicitAls.fit(history_of(csr_matrix(np.eye(3, dtype=np.float32))), PARAMETERS).item_factors.any()


def test_customers_of_whom_nothing_is_known_teach_nothing() -> None:
    """As who comes only after a cut: the factors are those of a shop without them."""
    known = history_of(BOARD)
    among_others = replace(known, customers=20 * SIZE, segment=np.full(20 * SIZE, -1))
    parameters = replace(PARAMETERS, frequency_scaling=1.0)
    start = ImplicitAls.fit(known, parameters).item_factors
    alone, together = (ImplicitAls.fit(history, parameters, start=start) for history in (known, among_others))
    assert together.customer_frequency == alone.customer_frequency
    np.testing.assert_allclose(together.item_factors, alone.item_factors, rtol=1e-5)


def test_no_fillers_at_the_end_of_a_list(model: ImplicitAls, customers: Factors) -> None:
    """Far more is asked than is left: what follows must be NOTHING, never an excluded item at -3.4e38."""
    listed, scores = best_items(model.item_factors, customers, 60, excluded=BOARD, refused_items=np.array([0, 1, 2]))
    assert listed.shape == (SIZE, 60)
    for customer in range(SIZE):
        found = listed[customer][listed[customer] != NOTHING]
        assert len(set(found)) == len(found)
        assert not set(found) & (set(BOARD[customer].indices) | {0, 1, 2})
    assert (scores >= 0).all()
    assert (scores[listed == NOTHING] == 0).all()


def test_batch_equals_one_by_one(model: ImplicitAls, customers: Factors) -> None:
    together, _ = best_items(model.item_factors, customers, 7, excluded=BOARD)
    for number in range(SIZE):
        alone, _ = best_items(model.item_factors, customers[number : number + 1], 7, excluded=BOARD[number])
        np.testing.assert_array_equal(alone[0], together[number])


def by_hand(items: Factors, customer: Factors, length: int, left_out: Container[int]) -> tuple[list[int], list[float]]:
    """The best of all items, one after the other."""
    scores = np.einsum("cf,cnf->cn", customer[None], items[None])[0].tolist()
    wanted = [number for number, score in enumerate(scores) if score > 0 and number not in left_out]
    wanted = sorted(wanted, key=lambda number: (-scores[number], number))[:length]
    return wanted, [scores[number] for number in wanted]


@pytest.mark.parametrize("items", [1, 7, 28, 29, 200, 3001])
@pytest.mark.parametrize("length", [1, 20, 300])
@pytest.mark.parametrize("threads", [1, 3])
def test_best_items_are_those_found_by_hand(items: int, length: int, threads: int) -> None:
    generator = np.random.default_rng([items, length])
    # Whole numbers have equal scores by the dozen, which must come by item number.
    of_items = generator.integers(-2, 3, (items, 5)).astype(np.float32)
    customers = generator.integers(-2, 3, (40, 5)).astype(np.float32)
    customers[3] = 0
    excluded = csr_matrix((generator.random((40, items)) < 0.1).astype(np.float32))
    refused = np.unique(generator.integers(0, items, items // 10))
    found, scores = best_items(of_items, customers, length, excluded=excluded, refused_items=refused, threads=threads)
    for number, (of_customer, values) in enumerate(zip(found, scores, strict=True)):
        left_out = {*excluded[number].indices.tolist(), *refused.tolist()}
        wanted, of_wanted = by_hand(of_items, customers[number], length, left_out)
        assert of_customer.tolist() == wanted + [NOTHING] * (length - len(wanted))
        assert values.tolist() == pytest.approx(of_wanted + [0] * (length - len(wanted)))


def test_items_too_short_to_matter_change_nothing() -> None:
    """Of items whose factors differ in length, most are never looked at; some customers have only short ones left."""
    generator = np.random.default_rng(8)
    of_items = generator.standard_normal((5000, 6), np.float32) * generator.gamma(0.3, 1, (5000, 1)).astype(np.float32)
    customers = generator.standard_normal((60, 6), np.float32)
    known = generator.random((60, 5000)) < 0.02
    known[7] = np.linalg.norm(of_items, axis=1) > 0.01
    excluded = csr_matrix(known.astype(np.float32))
    for some in (np.arange(60), np.delete(np.arange(60), 7)):
        found, _ = best_items(of_items, customers[some], 20, excluded=excluded[some])
        for place, number in enumerate(some):
            assert found[place].tolist() == by_hand(of_items, customers[number], 20, excluded[number].indices)[0]


def test_equal_items_beyond_the_spare_ones_come_by_number() -> None:
    """A thousand items of one score: whichever a search meets first, the lowest numbers are listed."""
    of_items = np.ones((1000, 4), np.float32)
    found, _ = best_items(of_items, np.ones((2, 4), np.float32), 10, refused_items=np.array([0, 2]))
    assert found.tolist() == [[1, *range(3, 12)]] * 2


def test_lists_are_the_same_among_any_other_customers() -> None:
    """Across the seams of blocks, whatever BLAS makes of the last bits."""
    generator = np.random.default_rng(4)
    of_items = generator.standard_normal((5000, 64), np.float32)
    customers = generator.standard_normal((2000, 64), np.float32)
    found, scores = best_items(of_items, customers, 20, threads=2)
    for some in (np.array([0]), np.array([799, 800, 801]), np.arange(0, 2000, 7)):
        again, values = best_items(of_items, customers[some], 20)
        np.testing.assert_array_equal(again, found[some])
        np.testing.assert_array_equal(values, scores[some])


def test_blocks_are_as_large_as_the_cache_allows_however_many_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few rows at once, and BLAS is half as fast."""
    looked_at, search = [], best_items_module._Search.best

    def watched(self: best_items_module._Search, customers: Factors, *others: Any) -> best_items_module.Listed:
        looked_at.append(len(customers))
        return search(self, customers, *others)

    monkeypatch.setattr(best_items_module, "SCORES_AT_ONCE", 100_000)
    monkeypatch.setattr(best_items_module._Search, "best", watched)
    generator = np.random.default_rng(1)
    best_items(generator.standard_normal((1000, 128), np.float32), generator.standard_normal((180, 128), np.float32), 5)
    assert sum(looked_at) == 180
    assert 90 <= max(looked_at) <= 100


@pytest.mark.parametrize("scaling", [0.0, 1.0])
def test_contributions_add_up_to_the_score(scaling: float) -> None:
    generator = np.random.default_rng(2)
    board = BOARD.multiply(generator.random(BOARD.shape) < 0.6).tocsr()
    board.eliminate_zeros()
    board.data *= generator.random(board.nnz).astype(np.float32) * 3
    history = history_of(board)
    parameters = ImplicitAlsParameters(factors=6, regularization=0.5, frequency_scaling=scaling, minimum_customers=1)
    fitted = ImplicitAls.fit(history, parameters)
    explain, scores = fitted.explain(history), fitted.customer_factors(history) @ fitted.item_factors.T
    for customer in range(0, SIZE, 7):
        listed = np.arange(SIZE)
        own, contributions = explain(customer, listed)
        assert own.tolist() == board[customer].indices.tolist()
        np.testing.assert_allclose(contributions.sum(axis=0), scores[customer], atol=2e-3)


def test_contributions_are_those_of_the_library(model: ImplicitAls) -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    explain = model.explain(history_of(BOARD))
    library = AlternatingLeastSquares(factors=6, regularization=0.5)
    library.item_factors = model.item_factors
    confidences = BOARD.copy()
    confidences.data = 1 + 4 * confidences.data
    for customer in range(0, SIZE, 7):
        number = (customer + 1) % SIZE
        own, contributions = explain(customer, np.array([number]))
        theirs = dict(library.explain(customer, confidences, number, N=len(own))[1])
        ours = dict(zip(own.tolist(), contributions[:, 0], strict=True))
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)


def test_a_warm_start_reaches_in_two_iterations_what_took_many(model: ImplicitAls) -> None:
    """The same lists as the cold fit's; two iterations from nothing are not there yet."""
    history = history_of(BOARD)
    warm = ImplicitAls.fit(history, PARAMETERS, start=model.item_factors)
    np.testing.assert_allclose(warm.item_factors, model.item_factors, atol=0.05)
    short = ImplicitAls.fit(history, replace(PARAMETERS, iterations=PARAMETERS.warm_iterations))
    assert np.abs(short.item_factors - model.item_factors).max() > 0.05

"""ALS on planted structure, its reasons against the library's own, its lists without fillers, its file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from include.recommender import als, artifact
from include.recommender.als import NOTHING, ModelParameters
from include.recommender.artifact import ArtifactError, RecommenderModel

PARAMETERS = ModelParameters(
    factors=6,
    regularization=0.5,
    alpha=4.0,
    iterations=20,
    seed=3,
    half_life_days=60.0,
    event_weights={"purchase": 1.0},
)


def checkerboard(size: int = 50) -> csr_matrix:
    """Customer and item of the same parity go together, but each customer's own diagonal item is withheld."""
    rows, columns = np.indices((size, size))
    return csr_matrix(((rows % 2 == columns % 2) & (rows != columns)).astype(np.float32))


@pytest.fixture(scope="module")
def board() -> csr_matrix:
    return checkerboard()


@pytest.fixture(scope="module")
def item_factors(board: csr_matrix) -> als.Factors:
    return als.fit_item_factors(board, PARAMETERS, 1)


def test_withheld_item_comes_first(board: csr_matrix, item_factors: als.Factors) -> None:
    customers = als.fold_in(item_factors, board, PARAMETERS, 1)
    listed, _ = als.best_items(item_factors, customers, 1, excluded=board)
    np.testing.assert_array_equal(listed[:, 0], np.arange(50))


def test_what_only_one_customer_knows_has_no_factors(board: csr_matrix) -> None:
    lonely = board.tolil()
    lonely[:, 7] = 0
    lonely[1, 7] = 1
    factors = als.fit_item_factors(lonely.tocsr(), PARAMETERS, 1)
    assert np.flatnonzero(~factors.any(axis=1)).tolist() == [7]
    assert not als.fit_item_factors(csr_matrix(np.eye(3, dtype=np.float32)), PARAMETERS, 1).any()


def test_no_fillers_at_the_end_of_a_list(board: csr_matrix, item_factors: als.Factors) -> None:
    """Far more is asked than is left: what follows must be NOTHING, never an excluded item at -3.4e38."""
    customers = als.fold_in(item_factors, board, PARAMETERS, 1)
    listed, scores = als.best_items(item_factors, customers, 60, excluded=board, refused_items=np.array([0, 1, 2]))
    assert listed.shape == (50, 60)
    for customer in range(50):
        found = listed[customer][listed[customer] != NOTHING]
        assert len(set(found)) == len(found)
        assert not set(found) & (set(board[customer].indices) | {0, 1, 2})
    assert (scores >= 0).all()
    assert (scores[listed == NOTHING] == 0).all()


def test_customers_without_history_have_no_list(board: csr_matrix, item_factors: als.Factors) -> None:
    nobody = csr_matrix((2, 50), dtype=np.float32)
    customers = als.fold_in(item_factors, nobody, PARAMETERS, 1)
    assert not customers.any()
    assert (als.best_items(item_factors, customers, 5)[0] == NOTHING).all()
    assert als.fold_in(item_factors, board[:0], PARAMETERS, 1).shape == (0, 6)


def test_batch_equals_one_by_one(board: csr_matrix, item_factors: als.Factors) -> None:
    customers = als.fold_in(item_factors, board, PARAMETERS, 1)
    together, _ = als.best_items(item_factors, customers, 7, excluded=board)
    for number in range(50):
        alone, _ = als.best_items(item_factors, customers[number : number + 1], 7, excluded=board[number])
        np.testing.assert_array_equal(alone[0], together[number])


def test_threads_do_not_change_a_bit(board: csr_matrix, item_factors: als.Factors) -> None:
    for threads in (2, 4):
        np.testing.assert_array_equal(als.fit_item_factors(board, PARAMETERS, threads), item_factors)


def test_reasons_are_those_of_the_library(item_factors: als.Factors) -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    generator = np.random.default_rng(2)
    history = checkerboard().multiply(generator.random((50, 50)) < 0.6).tocsr()
    history.data *= generator.random(history.nnz).astype(np.float32) * 3
    library = AlternatingLeastSquares(factors=6, regularization=0.5, alpha=4.0)
    library.item_factors = item_factors
    gram = item_factors.astype(np.float64).T @ item_factors.astype(np.float64)
    for customer in range(0, 50, 7):
        own = history[customer]
        listed = np.setdiff1d(np.arange(50), own.indices)[:8]
        reasons = als.strongest_reasons(
            item_factors, gram, own.indices, own.data, listed, PARAMETERS, presentable=np.ones(own.nnz, bool)
        )
        for number, reason in zip(listed, reasons, strict=True):
            ranked = library.explain(customer, history, number, N=own.nnz)[1]
            # The library works in single precision here and there, so near the top two may change places.
            assert dict(ranked)[reason] == pytest.approx(ranked[0][1], rel=1e-4, abs=1e-6)
            assert ranked[0][1] > ranked[-1][1] + 1e-3


def test_an_item_is_not_its_own_reason_nor_is_one_without_a_title(item_factors: als.Factors) -> None:
    gram = item_factors.astype(np.float64).T @ item_factors.astype(np.float64)
    own, weights = np.array([2, 4, 6]), np.array([5.0, 1.0, 1.0])

    def reasons(presentable: list[bool]) -> list[int]:
        found = als.strongest_reasons(
            item_factors, gram, own, weights, np.array([2, 8]), PARAMETERS, presentable=np.array(presentable)
        )
        return found.tolist()

    assert reasons([True, True, True])[0] in (4, 6)
    assert reasons([True, True, True])[1] == 2
    assert reasons([False, False, True]) == [6, 6]
    assert reasons([True, False, False]) == [NOTHING, 2]


@pytest.fixture
def model(item_factors: als.Factors) -> RecommenderModel:
    names = pd.Index([f"Käse {number},\n'reif'" for number in range(50)], dtype=object)
    return RecommenderModel("als-2017-11-30-00000000", PARAMETERS, 0.5, names, item_factors)


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_artifact_round_trip_over_any_file_system(kind: str, tmp_path: Path, model: RecommenderModel) -> None:
    root = str(tmp_path / "artifacts") if kind == "folder" else f"memory://{tmp_path.name}"
    uri, sha256 = artifact.save(model, root)
    assert artifact.save(model, root) == (uri, sha256)
    loaded = artifact.load(uri, sha256)
    assert (loaded.model_id, loaded.parameters, loaded.blend_weight) == (model.model_id, PARAMETERS, 0.5)
    assert loaded.items.equals(model.items)
    np.testing.assert_array_equal(loaded.item_factors, model.item_factors)


def test_no_unfinished_file_stays(tmp_path: Path, model: RecommenderModel) -> None:
    uri, _ = artifact.save(model, str(tmp_path))
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == [uri]


def test_a_file_that_is_no_model_is_refused_even_with_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match="is not a model of this version"):
        artifact.load(str(path), hashlib.sha256(b"not a model").hexdigest())

"""A recommender as a file: the same after a round trip over any file system, and refused where it is not whole."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recommender_shop as shop

from include.recommender import artifact
from include.recommender.artifact import ArtifactError, RecommenderModel
from include.recommender.learning import PURPOSES
from include.recommender.two_stage import not_to_list


@pytest.fixture(scope="module")
def model() -> RecommenderModel:
    names = pd.Index([f"Käse {number},\n'reif'" for number in range(shop.ITEMS)], dtype=object)
    fitted = shop.learned()
    return RecommenderModel(
        "two_stage-2017-11-30-00000000",
        "purchase",
        date(2017, 11, 30),
        ["IS", "PE"],
        names,
        shop.HISTORY.catalogue,
        fitted,
        {"discovery": fitted.rankers["discovery"]},
        date(2017, 11, 2),
    )


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_round_trip_over_any_file_system(kind: str, tmp_path: Path, model: RecommenderModel) -> None:
    root = str(tmp_path / "artifacts") if kind == "folder" else f"memory://{tmp_path.name}"
    uri, sha256 = artifact.save(model, root)
    assert artifact.save(model, root) == (uri, sha256)
    loaded = artifact.load(uri, sha256)
    assert (loaded.model_id, loaded.target, loaded.learned_on) == (model.model_id, "purchase", date(2017, 11, 30))
    assert loaded.items.equals(model.items)
    assert loaded.segments == ["IS", "PE"]
    assert loaded.fitted.recipe == model.fitted.recipe
    assert list(loaded.fitted.recipe.parts) == list(model.fitted.recipe.parts)
    assert loaded.judges == model.judges
    said, theirs = model.fitted.say(shop.HISTORY), loaded.fitted.say(shop.HISTORY)
    for purpose in PURPOSES:
        refused = not_to_list(shop.HISTORY, purpose)
        ours = model.fitted.order(shop.HISTORY, said, purpose, refused=refused)
        again = loaded.fitted.order(shop.HISTORY, theirs, purpose, refused=refused)
        np.testing.assert_array_equal(ours.scores, again.scores)
        np.testing.assert_array_equal(ours.candidates.item, again.candidates.item)


def test_no_unfinished_file_stays(tmp_path: Path, model: RecommenderModel) -> None:
    uri, _ = artifact.save(model, str(tmp_path))
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == [uri]


def test_a_file_that_is_no_model_is_refused_even_with_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match="is not a model of this version"):
        artifact.load(str(path), hashlib.sha256(b"not a model").hexdigest())


def test_a_model_of_parts_unknown_here_is_refused(
    tmp_path: Path, model: RecommenderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, sha256 = artifact.save(model, str(tmp_path))
    monkeypatch.delattr("include.recommender.models.ease.Ease.restore")
    monkeypatch.setattr("include.recommender.recipe.PARAMETERS", {})
    with pytest.raises(ArtifactError, match="this version has no model own_history"):
        artifact.load(uri, sha256)

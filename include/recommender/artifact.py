"""A model as one file behind an fsspec URL: arrays in npz, never pickles, read only if its checksum holds."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import fsspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from include.recommender.history import Catalogue
from include.recommender.item_facts import ItemFacts
from include.recommender.models import model_of
from include.recommender.ranker import Ranker
from include.recommender.recipe import Recipe
from include.recommender.two_stage import TwoStage

logger = logging.getLogger(__name__)

FOLDER = "models"


@dataclass(frozen=True)
class RecommenderModel:
    """items: ids in the order of the numbers that ``fitted`` uses. catalogue: what was known of them.

    segments: names in the order of the numbers that popularity uses. target: the event type it foretells. learned_on:
    the date whose night learned the rankers. judges: the rankers that do not know the newest hidden part, on which each
    night is judged. judges_know: the last day that these have learned from.
    """

    model_id: str
    target: str
    learned_on: date
    segments: list[str]
    items: pd.Index
    catalogue: Catalogue
    fitted: TwoStage
    judges: Mapping[str, Ranker]
    judges_know: date


class ArtifactError(RuntimeError):
    """A model's artifact is missing, or is not what was registered."""


def save(model: RecommenderModel, root: str) -> tuple[str, str]:
    """Write ``model`` below the fsspec URL ``root``; returns its URI and sha256.

    The name holds the checksum, so a file in use is never overwritten by another; it appears whole or not at all on
    file systems whose rename is atomic.
    """
    content = _to_bytes(model)
    digest = hashlib.sha256(content).hexdigest()
    uri = f"{root.rstrip('/')}/{FOLDER}/{model.model_id}/{digest[:16]}.npz"
    filesystem, path = fsspec.core.url_to_fs(uri)
    if filesystem.exists(path) and hashlib.sha256(filesystem.cat_file(path)).hexdigest() == digest:
        return uri, digest
    filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    unfinished = f"{path}.{uuid.uuid4().hex}.part"
    filesystem.pipe_file(unfinished, content)
    filesystem.mv(unfinished, path)
    logger.info("wrote %s: %d bytes", uri, len(content))
    return uri, digest


def forget(uri: str) -> None:
    """Delete the artifact at ``uri``, if it is still there."""
    filesystem, path = fsspec.core.url_to_fs(uri)
    if filesystem.exists(path):
        filesystem.rm(path)
        logger.info("deleted %s, which is too old to be put in force again", uri)


def load(uri: str, sha256: str) -> RecommenderModel:
    """The model at ``uri``; raises ArtifactError naming it when it is missing, or its checksum is not ``sha256``."""
    filesystem, path = fsspec.core.url_to_fs(uri)
    try:
        content = filesystem.cat_file(path)
    except FileNotFoundError as error:
        raise ArtifactError(f"model artifact {uri} is missing: restore it, or run train_recommender again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ArtifactError(
            f"model artifact {uri} is corrupt: its sha256 is {found}, registered is {sha256}; "
            "restore it, or run train_recommender again"
        )
    try:
        return _from_bytes(content)
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"model artifact {uri} is not a model of this version: {error}") from error


def _to_bytes(model: RecommenderModel) -> bytes:
    fitted = model.fitted
    header = {
        "model_id": model.model_id,
        "target": model.target,
        "segments": model.segments,
        "learned_on": model.learned_on.isoformat(),
        "recipe": fitted.recipe.as_json(),
        "rankers": {purpose: asdict(ranker) for purpose, ranker in fitted.rankers.items()},
        "judges": {purpose: asdict(ranker) for purpose, ranker in model.judges.items()},
        "judges_know": model.judges_know.isoformat(),
    }
    arrays = {f"facts.{name}": array for name, array in fitted.facts.arrays().items()}
    for part, fitted_model in fitted.models.items():
        arrays |= {f"parts.{part}.{name}": array for name, array in fitted_model.arrays().items()}
    arrays |= {f"catalogue.{name}": array for name, array in asdict(model.catalogue).items()}
    arrays |= {"header": _text(header), "items": _text(list(model.items))}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _from_bytes(content: bytes) -> RecommenderModel:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        header = json.loads(arrays["header"].tobytes())
        recipe = Recipe.of_json(header["recipe"])

        def part_of(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}

        models = {
            part: model_of(parameters).restore(asdict(parameters), part_of(f"parts.{part}."))
            for part, parameters in recipe.parts.items()
        }
        return RecommenderModel(
            model_id=header["model_id"],
            target=header["target"],
            segments=header["segments"],
            learned_on=date.fromisoformat(header["learned_on"]),
            items=pd.Index(json.loads(arrays["items"].tobytes()), dtype=object),
            catalogue=Catalogue(**part_of("catalogue.")),
            fitted=TwoStage(recipe, models, ItemFacts.restore(part_of("facts.")), _rankers(header["rankers"])),
            judges=_rankers(header["judges"]),
            # An older version did not say; all that was known then is the most they may know.
            judges_know=date.fromisoformat(header.get("judges_know", header["learned_on"])),
        )


def _text(value: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, sort_keys=True).encode(), np.uint8)


def _rankers(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Ranker]:
    return {purpose: Ranker(tuple(ranker["names"]), ranker["text"]) for purpose, ranker in given.items()}

"""A model as one file behind an fsspec URL: arrays in npz, never pickles, read only if its checksum holds."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import uuid
import zipfile
from dataclasses import dataclass

import fsspec
import numpy as np
import pandas as pd

from include.recommender.als import Factors, ModelParameters

logger = logging.getLogger(__name__)

FOLDER = "models"


@dataclass(frozen=True)
class RecommenderModel:
    """Items in the order of the rows of ``item_factors`` (items, factors), and how they are to be used."""

    model_id: str
    parameters: ModelParameters
    blend_weight: float
    items: pd.Index
    item_factors: Factors


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
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"model artifact {uri} is not a model of this version: {error}") from error


def _to_bytes(model: RecommenderModel) -> bytes:
    header = {
        "model_id": model.model_id,
        "parameters": model.parameters.as_json(),
        "blend_weight": model.blend_weight,
    }
    content = io.BytesIO()
    np.savez(
        content,
        header=np.array(json.dumps(header, sort_keys=True)),
        items=np.frombuffer(json.dumps(list(model.items)).encode(), np.uint8),
        item_factors=model.item_factors,
    )
    return content.getvalue()


def _from_bytes(content: bytes) -> RecommenderModel:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        header = json.loads(str(arrays["header"]))
        items = json.loads(arrays["items"].tobytes())
        return RecommenderModel(
            model_id=header["model_id"],
            parameters=ModelParameters(**header["parameters"]),
            blend_weight=header["blend_weight"],
            items=pd.Index(items, dtype=object),
            item_factors=arrays["item_factors"],
        )

"""Which landing files there are: ``<root>/<table>/<YYYY-MM-DD>/<name>.<format>`` on any fsspec filesystem."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from fsspec.core import url_to_fs

from include.db.tables import LANDING_TABLES

logger = logging.getLogger(__name__)

FORMATS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
HASH_CHUNK_BYTES = 1 << 20
_DATE_FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class LandingFile:
    """A file of the landing contract."""

    table_name: str
    business_date: date
    """The folder's date."""
    path: str
    """Below the landing root, with forward slashes: the file's name in landing_files and in messages."""
    location: str
    """Where the filesystem finds it."""
    size_bytes: int
    filesystem: Any


def find_landing_files(root: str, business_date: date, tables: Collection[str]) -> list[LandingFile]:
    """Files of ``tables`` in folders dated up to ``business_date``, in LANDING_TABLES order, then by (date, path).

    Whatever lies below ``root`` and does not follow the layout is named in a warning, once per folder or file; names
    that start with a dot or an underscore (markers, files being written) are passed over.
    """
    filesystem, root_path = url_to_fs(root)
    filesystem.invalidate_cache()
    if not filesystem.exists(root_path):
        logger.warning("Landing folder %s does not exist (LAMPLIGHTER_LANDING): nothing to load", root)
        return []
    prefix = root_path.rstrip("/") + "/"
    found: list[LandingFile] = []
    strangers: set[str] = set()
    for location, details in filesystem.find(root_path, detail=True).items():
        path = location.removeprefix(prefix)
        if path.rsplit("/", 1)[-1].startswith((".", "_")):
            continue
        file = _as_landing_file(path, location, details["size"], filesystem)
        if isinstance(file, str):
            strangers.add(file)
        elif file.table_name in tables and file.business_date <= business_date:
            found.append(file)
    for stranger in sorted(strangers):
        logger.warning("Landing: %s", stranger)
    order = list(LANDING_TABLES)
    return sorted(found, key=lambda file: (order.index(file.table_name), file.business_date, file.path))


def _as_landing_file(path: str, location: str, size_bytes: int, filesystem: Any) -> LandingFile | str:
    """The file, or the sentence that says why it is none."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"file {path!r} has a name that is not UTF-8; passed over"
    folders = path.split("/")[:-1]
    if not folders or folders[0] not in LANDING_TABLES:
        stranger = f"folder {folders[0]!r}" if folders else f"file {path!r}"
        return f"{stranger} is none of the tables {', '.join(LANDING_TABLES)}; passed over"
    day = as_date(folders[1]) if len(folders) > 1 else None
    if day is None:
        where = f"folder {'/'.join(folders[:2])!r}" if len(folders) > 1 else f"file {path!r}"
        return f"{where} is not below a date such as {folders[0]}/2017-11-30; passed over"
    if len(folders) > 2:
        return f"folder {'/'.join(folders)!r} lies too deep, files belong in <table>/<date>/; passed over"
    if not path.endswith(FORMATS):
        return f"file {path!r} is none of {', '.join(FORMATS)}; passed over"
    return LandingFile(folders[0], day, path, location, size_bytes, filesystem)


def as_date(folder: str) -> date | None:
    """The date that a folder is named after, ``2017-11-30``; None: it is named otherwise."""
    if not _DATE_FOLDER.fullmatch(folder):
        return None
    try:
        return date.fromisoformat(folder)
    except ValueError:
        return None


def sha256_of(file: LandingFile) -> str:
    """Hex digest of the file's bytes, read as a stream."""
    digest = hashlib.sha256()
    with file.filesystem.open(file.location, "rb") as stream:
        while chunk := stream.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()

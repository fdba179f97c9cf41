"""The stage: every landing file that is new or changed, each in a transaction of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, BinaryIO, cast

import numpy
import pyarrow
from isal import igzip
from isal.igzip_lib import IsalError
from psycopg2.errors import ProgramLimitExceeded
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from include.db.locks import lock
from include.db.tables import LANDING_TABLES, landing_files, quarantined_rows
from include.landing.ahead import running_ahead
from include.landing.batches import ROW_NUMBER, Content, LandingFileError, separate_damaged
from include.landing.changed_days import note_all_rows, note_rows_of
from include.landing.discovery import LandingFile, find_landing_files, sha256_of
from include.landing.kinds import ID, TEXT
from include.landing.merging import (
    add_staged,
    move_refused,
    note_repeated,
    publish,
    quarantine_refused,
    quarantine_unreadable,
    set_work_memory,
)
from include.landing.ownership import RELEASED, note_owned_keys, release_overridden_files
from include.landing.read_csv import read_csv
from include.landing.read_jsonl import read_jsonl
from include.landing.read_parquet import read_parquet
from include.landing.rules import RULES, Rules
from include.landing.staging import Staging, check_columns, copy_binary, copy_texts, create_staging, place_columns
from include.landing.target import Target, open_target
from include.landing.typed import SplitBatch, Splitter
from include.settings import Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.landing"
"""Two runs never load at the same time."""

BATCHES_AHEAD = 4
"""Read while an earlier one is written."""

READ_NUMBERS = 100_000
"""Of refused rows, fetched at once."""

ROWS_PER_PROGRESS_LINE = 1_000_000

_GZIP_ERROR = cast(type[Exception], IsalError)  # the package's own types take it for an instance

UNREADABLE_FILE: tuple[type[Exception], ...] = (pyarrow.ArrowException, OSError, EOFError, _GZIP_ERROR, UnicodeError)
"""What the readers raise on a truncated or foreign file; gzip's BadGzipFile is an OSError."""


@dataclass(frozen=True)
class LandingSummary:
    """What a call of the stage did. Rows are those of the files it loaded."""

    files_loaded: int = 0
    files_unchanged: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_accepted_by_table: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Loaded:
    accepted: int
    quarantined: int


def load_landing_files(
    engine: Engine, settings: Settings, *, business_date: date, tables: Collection[str] | None = None
) -> LandingSummary:
    """Load every new or changed file below ``settings.landing`` in folders dated up to ``business_date``.

    A file is known by its path and sha256. A changed one replaces its own rows and its own quarantined rows; one that
    is gone leaves its rows. Of two files with the same key the later by (folder date, path) counts; a row is replaced
    whole. Each row is accepted or quarantined with its reasons; of rows with one key in one file the last is accepted.
    When a changed file gives a key no more, the earlier files that may have it are loaded once more: the tables are
    always what a first load of the files as they are now would make of them.

    Every load of a file gives it a new ``file_id``, the largest so far: what came in later has the larger number.

    tables: only these, in the same order. Raises ValueError on an unknown name, and LandingFileError when a file could
    not be read as a whole: only after all others are loaded, naming each such file; their former rows stay.
    """
    chosen = tuple(LANDING_TABLES) if tables is None else tuple(tables)
    unknown = sorted(set(chosen) - set(LANDING_TABLES))
    if unknown:
        raise ValueError(f"no landing tables {', '.join(unknown)}; there are {', '.join(LANDING_TABLES)}")
    files = find_landing_files(settings.landing, business_date, chosen)
    loaded: dict[str, tuple[LandingFile, _Loaded]] = {}
    broken: dict[str, LandingFileError] = {}
    gone: set[str] = set()
    known = _known_digests(engine)
    pending = files
    while pending:
        for file in pending:
            try:
                digest = _digest(file)
                if digest is None:
                    logger.warning("Landing file %s is gone since it was listed; passed over", file.path)
                    gone.add(file.path)
                    continue
                result = None if known.get(file.path) == digest else _load_if_changed(engine, file, digest)
            except LandingFileError as error:
                broken[file.path] = error
                logger.error("Landing file %s: %s", file.path, error)
                continue
            if result is not None:
                loaded[file.path] = (file, result)
        known = _known_digests(engine)
        pending = [file for file in files if known.get(file.path) == RELEASED and file.path not in broken.keys() | gone]
    if broken:
        reasons = " | ".join(f"{path}: {error}" for path, error in broken.items())
        raise LandingFileError(
            f"{len(broken)} landing file(s) cannot be read, their earlier rows stay: {reasons}. "
            "Write the file again under the same name, or move it out of the landing folder."
        )
    return _summary(list(loaded.values()), len(files) - len(loaded))


def _digest(file: LandingFile) -> str | None:
    """None: the file is no longer there."""
    with _clear_about_unreadable_files():
        try:
            return sha256_of(file)
        except FileNotFoundError:
            return None


def _known_digests(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(landing_files.c.file, landing_files.c.sha256))
        return {row.file: row.sha256 for row in rows}


def _summary(loaded: list[tuple[LandingFile, _Loaded]], unchanged: int) -> LandingSummary:
    by_table: dict[str, int] = {}
    for file, result in loaded:
        by_table[file.table_name] = by_table.get(file.table_name, 0) + result.accepted
    return LandingSummary(
        files_loaded=len(loaded),
        files_unchanged=unchanged,
        rows_accepted=sum(result.accepted for _, result in loaded),
        rows_quarantined=sum(result.quarantined for _, result in loaded),
        rows_accepted_by_table=by_table,
    )


def _load_if_changed(engine: Engine, file: LandingFile, digest: str) -> _Loaded | None:
    """Load the file in one transaction; None when another run has loaded just this content meanwhile."""
    started = time.monotonic()
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        known = connection.execute(
            select(landing_files.c.file_id, landing_files.c.sha256).where(landing_files.c.file == file.path)
        ).one_or_none()
        if known is not None and known.sha256 == digest:
            return None
        owned = None if known is None else note_owned_keys(connection, file, known.file_id)
        file_id = _register(connection, file, digest, None if known is None else known.file_id)
        with _clear_about_wide_rows():
            loaded = _load(connection, file, file_id, is_new=known is None)
        # In the same transaction, so that a run which is killed here leaves the rest to the next.
        released = 0 if owned is None else release_overridden_files(connection, file, owned)
        connection.execute(
            update(landing_files)
            .where(landing_files.c.file_id == file_id)
            .values(rows_accepted=loaded.accepted, rows_quarantined=loaded.quarantined)
        )
    logger.info(
        "Landing file %s: %s rows accepted, %s quarantined in %.1f s",
        file.path,
        f"{loaded.accepted:,}",
        f"{loaded.quarantined:,}",
        time.monotonic() - started,
    )
    if released:
        logger.warning(
            "Landing file %s no longer has rows it had: loading %d earlier files of %s again, whose rows may count now",
            file.path,
            released,
            file.table_name,
        )
    return loaded


def _register(connection: Connection, file: LandingFile, digest: str, former_id: int | None) -> int:
    """The file's new id, the largest so far; the rows it had under its former one are deleted.

    Counted on under the lock, not drawn from the sequence, which a load that is killed leaves with a gap.
    """
    file_id: int = connection.execute(select(func.coalesce(func.max(landing_files.c.file_id), 0) + 1)).scalar_one()
    facts: dict[str, Any] = {
        "file_id": file_id,
        "table_name": file.table_name,
        "business_date": file.business_date,
        "file": file.path,
        "sha256": digest,
        "size_bytes": file.size_bytes,
        "rows_accepted": 0,
        "rows_quarantined": 0,
    }
    if former_id is not None:
        note_rows_of(connection, RULES[file.table_name], file_id, owner=former_id)
        for table in (LANDING_TABLES[file.table_name], quarantined_rows, landing_files):
            connection.execute(delete(table).where(table.c.file_id == former_id))
    connection.execute(insert(landing_files).values(facts))
    return file_id


def _load(connection: Connection, file: LandingFile, file_id: int, *, is_new: bool) -> _Loaded:
    rules = RULES[file.table_name]
    set_work_memory(connection)
    with _clear_about_unreadable_files():
        content = _open(file, rules)
        if not content.columns:
            return _Loaded(0, 0)
        check_columns(content, rules)
        staging = create_staging(connection, place_columns(content, rules), rules)
        target = open_target(connection, file, rules.table, is_new=is_new)
        rows, refused = _copy_rows(connection, file, file_id, rules, content, staging, target)
    refused += quarantine_refused(connection, file, file_id, rules, staging)
    add_staged(connection, file_id, rules, staging, target)
    repeated = note_repeated(connection, rules, staging, target)
    if repeated:
        _stage_refused(connection, file, rules, staging)
        if move_refused(connection, file, file_id, staging) != repeated:
            raise LandingFileError("changed while it was read; the next run will load it as it is then")
    publish(connection, file, file_id, rules, target)
    if target.is_final:
        note_all_rows(connection, rules, file_id)
    else:
        note_rows_of(connection, rules, file_id, owner=file_id)
    return _Loaded(rows - refused - repeated, refused + repeated)


@contextmanager
def _clear_about_wide_rows() -> Iterator[None]:
    """A staged row has a column of text for each of the file's; in a table a row must fit into a page."""
    try:
        yield
    except (ProgramLimitExceeded, DBAPIError) as error:
        if not isinstance(error, ProgramLimitExceeded) and not isinstance(error.orig, ProgramLimitExceeded):
            raise
        raise LandingFileError("has more, or wider, columns than a row of a table can hold: leave out some") from None


@contextmanager
def _clear_about_unreadable_files() -> Iterator[None]:
    try:
        yield
    except UNREADABLE_FILE as error:
        raise LandingFileError(f"cannot be read: {str(error).splitlines()[0] if str(error) else error!r}") from error


def _copy_rows(
    connection: Connection,
    file: LandingFile,
    file_id: int,
    rules: Rules,
    content: Content,
    staging: Staging,
    target: Target,
) -> tuple[int, int]:
    """Copy certain rows to the target, the others to the staging table; how many rows, and how many unreadable ones."""
    splitter = Splitter(rules, staging.places, file_id)
    rows = unreadable = 0
    with running_ahead(_split(content, splitter), BATCHES_AHEAD) as batches:
        for batch in batches:
            if batch.certain_rows:
                copy_binary(connection, target.table, splitter.columns, batch.binary, batch.certain_rows)
            copy_texts(connection, staging, batch.rest.rows)
            unreadable += quarantine_unreadable(connection, file, file_id, batch.rest.unreadable)
            before, rows = rows, rows + batch.certain_rows + batch.rest.rows.num_rows + len(batch.rest.unreadable)
            if rows // ROWS_PER_PROGRESS_LINE > before // ROWS_PER_PROGRESS_LINE:
                logger.info("Landing file %s: %s rows read so far", file.path, f"{rows:,}")
    return rows, unreadable


def _split(content: Content, splitter: Splitter) -> Generator[SplitBatch]:
    # Closed with this: a reader of arrow's that is left open when the process ends makes it abort.
    with closing(content.batches) as batches:
        for batch in batches:
            yield splitter.split(separate_damaged(batch))


def _stage_refused(connection: Connection, file: LandingFile, rules: Rules, staging: Staging) -> None:
    """Read the rows that ``refusals`` has once more, as they stand in the file."""
    refused = select(staging.refusals.c[ROW_NUMBER]).order_by(staging.refusals.c[ROW_NUMBER])
    fetched = connection.execute(refused.execution_options(yield_per=READ_NUMBERS)).scalars()
    numbers = numpy.fromiter(fetched, numpy.int64)
    with _clear_about_unreadable_files():
        for batch in _open(file, rules).batches:
            here = batch.rows.column(ROW_NUMBER).to_numpy()
            places = numpy.searchsorted(numbers, here)
            is_refused = numbers.take(places, mode="clip") == here
            copy_texts(connection, staging, batch.rows.filter(pyarrow.array(is_refused)))


def _open(file: LandingFile, rules: Rules) -> Content:
    @contextmanager
    def open_stream() -> Iterator[BinaryIO]:
        with file.filesystem.open(file.location, "rb") as stream:
            if file.path.endswith(".gz"):
                with igzip.GzipFile(fileobj=stream) as plain:
                    yield cast(BinaryIO, plain)
            else:
                yield stream

    kind = file.path.removesuffix(".gz").rsplit(".", 1)[-1]
    if kind == "csv":
        return read_csv(open_stream)
    if kind == "jsonl":
        known = tuple(name for name in rules.column_names if name != rules.object_column)
        return read_jsonl(open_stream, known, rules.object_column)
    return read_parquet(open_stream, [field.name for field in rules.fields if field.kind in (ID, TEXT)])

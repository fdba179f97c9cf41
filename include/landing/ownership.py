"""Keys that a changed file no longer gives: the version that an earlier file has of them counts again.

A row with a key that several files have belongs to the latest of them, and the others' versions are kept nowhere but
in their files. So when the owner changes and gives a key no more, those earlier files of its table that had to give
way in some row are released: they count as not loaded, and are read again. That is rare, and costs as much as their
first load.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, Tuple, and_, func, literal, select, tuple_, update
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.schema import Column, MetaData

from include.db.tables import LANDING_TABLES, landing_files
from include.landing.discovery import LandingFile

RELEASED = ""
"""The sha256 of a registered file that is to be read again, whatever it holds."""


def earlier_than(file: LandingFile) -> ColumnElement[bool]:
    """Registered files of the table that come before ``file``."""
    return and_(landing_files.c.table_name == file.table_name, _place() < _place_of(file))


def later_than(file: LandingFile) -> ColumnElement[bool]:
    """Registered files of the table that come after ``file``."""
    return and_(landing_files.c.table_name == file.table_name, _place() > _place_of(file))


def _place() -> Tuple:
    return tuple_(landing_files.c.business_date, landing_files.c.file.collate("C"))


def _place_of(file: LandingFile) -> Tuple:
    return tuple_(literal(file.business_date), literal(file.path).collate("C"))


def note_owned_keys(connection: Connection, file: LandingFile, file_id: int) -> Table | None:
    """The keys of the rows that ``file_id`` owns now, in a temporary table; None where no earlier file has others."""
    if not connection.execute(select(select(landing_files).where(earlier_than(file)).exists())).scalar():
        return None
    table = LANDING_TABLES[file.table_name]
    owned = Table(
        "landing_owned",
        MetaData(),
        *(Column(key.name, key.type) for key in table.primary_key),
        prefixes=["temporary"],
        postgresql_on_commit="DROP",
    )
    connection.execute(CreateTable(owned))
    keys = select(*table.primary_key).where(table.c.file_id == file_id)
    connection.execute(owned.insert().from_select([key.name for key in table.primary_key], keys))
    return owned


def release_overridden_files(connection: Connection, file: LandingFile, owned: Table) -> int:
    """Release the earlier files that may have a lost key, one of the ``owned`` that no row has now; how many files.

    A file that owns as many rows as were accepted from it has nothing to give back.
    """
    table = LANDING_TABLES[file.table_name]
    same_key = and_(*(table.c[key.name] == key for key in owned.c))
    lost = select(owned).where(~select(table).where(same_key).exists())
    if not connection.execute(select(lost.exists())).scalar():
        return 0
    owns = select(func.count()).where(table.c.file_id == landing_files.c.file_id).scalar_subquery()
    overridden = and_(earlier_than(file), landing_files.c.rows_accepted > owns)
    return connection.execute(update(landing_files).where(overridden).values(sha256=RELEASED)).rowcount

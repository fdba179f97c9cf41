"""What the marketing tables hold, in a form that two moments can be compared by."""

from __future__ import annotations

from sqlalchemy import Engine, text

from include.db.tables import metadata

Contents = dict[str, tuple[int, str | None]]
"""By table: how many rows it has and a hash over all of them; None: no row."""
SURROGATES = {"file_id", "quarantined_row_id", "quality_failure_id"}
"""Numbers drawn from a sequence: a row that is written again gets another."""


def contents(engine: Engine) -> Contents:
    """What every table holds now."""
    with engine.connect() as connection:
        found: Contents = {}
        for table in metadata.sorted_tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in SURROGATES)
            rows, digest = connection.execute(
                text(
                    'select count(*), md5(string_agg(line, chr(10) order by line collate "C"))'
                    f" from (select cast(row({columns}) as text) as line from {table.fullname}) as lines"
                )
            ).one()
            found[table.name] = (rows, digest)
    return found

"""Reading what training and generation need from Postgres, by COPY, and ids as numbers in their sorted order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text

from include.db.copy import copy_out
from include.db.sql import source
from include.db.tables import customer_features, interactions

CATEGORICAL_COLUMNS = ("customer_id", "item_id", "event_type")
"""Few values, often repeated."""


def check_interactions_are_of(connection: Connection, business_date: date) -> None:
    """Raises ValueError unless ``interactions`` was built for ``business_date``.

    It may be empty, in a shop where nobody has bought or looked at an item yet: then the date's customer features,
    written in the same transaction, say that it was built.
    """
    dates = connection.execute(select(interactions.c.business_date).distinct()).scalars().all()
    if not dates:
        features = select(customer_features).where(customer_features.c.business_date == business_date)
        if not connection.execute(select(features.exists())).scalar_one():
            raise ValueError(
                f"interactions is empty and there are no customer features of {business_date}: "
                f"run build_features for {business_date}"
            )
    elif set(dates) != {business_date}:
        built_for = ", ".join(str(day) for day in sorted(dates))
        raise ValueError(
            f"interactions was built for {built_for}, not for {business_date}: "
            f"clear the run of {business_date} from build_features"
        )


def date_of_interactions(connection: Connection) -> date:
    """The business date that ``interactions`` was built for; raises ValueError where it never was, or is empty."""
    found = connection.execute(select(interactions.c.business_date).limit(1)).scalar_one_or_none()
    if found is None:
        raise ValueError("interactions is empty: run a night first, with customers who did something with items")
    return date.fromisoformat(str(found))


def read(
    connection: Connection,
    name: str,
    settings: Mapping[str, object] | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Result of the constant query ``sql/<name>.sql``, which reads ``settings`` by current_setting('lamplighter.…').

    Bound values reach COPY in this way alone; they last until the transaction ends. Ids come as categories of text, for
    they repeat a great deal; read as text first, since a reader of categories would take "02" for the number 2. A row
    with an empty id names nobody or nothing and is left out.
    """
    for key, value in (settings or {}).items():
        connection.execute(
            text("select set_config(:name, :value, true)"), {"name": f"lamplighter.{key}", "value": str(value)}
        )
    frame = copy_out(connection, source(__file__, name), dict.fromkeys(CATEGORICAL_COLUMNS, "str") | dict(dtypes or {}))
    categorical = [column for column in CATEGORICAL_COLUMNS if column in frame]
    return frame.dropna(subset=categorical).astype(dict.fromkeys(categorical, "category"))


def sorted_ids(*columns: pd.Series) -> pd.Index:
    """All ids of categorical ``columns``, once each, by code point."""
    return pd.Index(sorted(set().union(*(column.cat.categories.tolist() for column in columns))), dtype=object)


def positions(column: pd.Series, ids: pd.Index) -> NDArray[np.int64]:
    """Position in ``ids`` of each value of a categorical column; -1 where it is not among them."""
    return ids.get_indexer(pd.Index(column.cat.categories, dtype=object))[column.cat.codes.to_numpy()].astype(np.int64)

"""What is known at the end of a business date about everyone who might be messaged the next day, as arrays.

Customers are counted from 0 by id, byte by byte; the temporary table ``people_of_night`` says who is who to the queries
of the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, MetaData, Table, text

from include.business_time import day_bounds
from include.db.copy import copy_in, copy_out_columns
from include.db.sql import source, statement
from include.scheduling.caps import Sent
from include.settings import CHANNELS, Settings

Floats = NDArray[np.float64]

NO_CONSENT, NO_ADDRESS = "no_consent", "no_address"
REACHED = 0
"""No obstacle; others are numbers of ``People.obstacles``."""
_WORDS = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
_LEADING_ITEMS = Table("leading_items", MetaData(), Column("place"), Column("item_id"))


@dataclass(frozen=True)
class People:
    """ids: of all customers. zone: (customers,), numbers of ``zones``.

    obstacle: (channels, customers), numbers of ``obstacles``: what stands in the way of a channel, which may be
    nothing, no consent, no address, or a reason of suppression.
    expected_value: (customers,), revenue of the days to come; NaN where nothing is expected to be known.
    """

    ids: pyarrow.StringArray
    zone: NDArray[np.int64]
    zones: tuple[str, ...]
    obstacle: NDArray[np.int64]
    obstacles: tuple[str, ...]
    expected_value: Floats

    def __len__(self) -> int:
        return len(self.ids)


def read_people(connection: Connection, settings: Settings, business_date: date) -> People:
    """Customers of ``customer_features`` of ``business_date``; makes ``people_of_night``.

    Raises ValueError when there are none.
    """
    bound = {
        "business_date": business_date,
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
        "default_zone": settings.customer_time_zone,
    }
    connection.execute(statement(__file__, "create_people_of_night"), bound)
    types = {"customer_id": pyarrow.string(), "time_zone": _WORDS, **dict.fromkeys(CHANNELS, _WORDS)}
    types["expected_value"] = pyarrow.float64()
    rows = copy_out_columns(connection, source(__file__, "select_people"), types)
    if not rows.num_rows:
        raise ValueError(f"customer_features has no row of {business_date}: run build_features for that date first")
    zone, zones = _zones(rows["time_zone"], settings.customer_time_zone)
    obstacle, obstacles = _obstacles([rows[channel] for channel in CHANNELS])
    expected = rows["expected_value"].to_numpy()
    return People(_whole(rows["customer_id"]), zone, zones, obstacle, obstacles, expected)


def read_sent(connection: Connection, settings: Settings, business_date: date) -> Sent:
    """Messages to the people of the night, of the eight days before it ends and those of earlier nights still to go.

    The former tool's count as well.
    """
    bound = {
        "business_date": business_date,
        "channels": list(CHANNELS),
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
    }
    connection.execute(statement(__file__, "create_sent_messages"), bound)
    types = {"place": pyarrow.int64(), "channel": _WORDS, "at": pyarrow.int64()}
    rows = copy_out_columns(
        connection, "select place, channel, at from pg_temp.sent_messages order by place, at", types
    )
    return Sent.of(rows["place"].to_numpy(), rows["at"].to_numpy(), channel_numbers(rows["channel"]))


def channel_numbers(words: pyarrow.ChunkedArray) -> NDArray[np.int8]:
    """Numbers of CHANNELS."""
    coded = _whole(words)
    numbers = np.array([CHANNELS.index(word) for word in coded.dictionary.to_pylist()], np.int8)
    return numbers[coded.indices.to_numpy()] if len(numbers) else np.zeros(0, np.int8)


def read_margins(
    connection: Connection, settings: Settings, business_date: date, customers: int, purpose: str, items: int
) -> Floats:
    """(customers,): mean margin, in money, of the first ``items`` of the list of ``purpose``; NaN without a list."""
    return _margins(connection, settings, business_date, "create_list_margins", customers, purpose, items)


def read_led_margins(
    connection: Connection,
    settings: Settings,
    business_date: date,
    customers: int,
    leading: Mapping[int, str],
    purpose: str,
    items: int,
) -> Floats:
    """(customers,): as ``read_margins``, of messages that an item leads and the list fills up to ``items``.

    leading: items by customer number; NaN for all others.
    """
    connection.execute(statement(__file__, "create_leading_items"))
    copy_in(connection, _LEADING_ITEMS, pyarrow.table({"place": [*leading], "item_id": [*leading.values()]}))
    return _margins(connection, settings, business_date, "create_led_margins", customers, purpose, items)


def _margins(
    connection: Connection,
    settings: Settings,
    business_date: date,
    query: str,
    customers: int,
    purpose: str,
    items: int,
) -> Floats:
    """From the temporary table ``message_margins`` that ``query`` makes."""
    bound = {
        "business_date": business_date,
        "purpose": purpose,
        "items": items,
        "default_margin_rate": settings.reporting.default_margin_rate,
    }
    connection.execute(statement(__file__, query), bound)
    types = {"place": pyarrow.int64(), "margin": pyarrow.float64()}
    rows = copy_out_columns(connection, "select place, margin from pg_temp.message_margins", types)
    connection.execute(text("drop table pg_temp.message_margins"))
    margins = np.full(customers, np.nan)
    margins[rows["place"].to_numpy()] = rows["margin"].to_numpy() / 1e6
    return margins


def _whole(column: pyarrow.ChunkedArray) -> Any:
    """``column`` as one array."""
    return column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _zones(column: pyarrow.ChunkedArray, default: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    coded = _whole(column)
    known = available_timezones()
    # Postgres may know a zone that Python does not.
    names = [name if name in known else default for name in coded.dictionary.to_pylist()]
    zones = tuple(sorted(set(names)))
    return np.array([zones.index(name) for name in names])[coded.indices.to_numpy()], zones


def _obstacles(columns: list[pyarrow.ChunkedArray]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    coded = [_whole(column) for column in columns]
    known = {word for column in coded for word in column.dictionary.to_pylist()}
    obstacles = ("", NO_CONSENT, NO_ADDRESS, *sorted(known - {NO_CONSENT, NO_ADDRESS}))
    return np.stack([_numbers(column, obstacles) for column in coded]), obstacles


def _numbers(coded: Any, obstacles: tuple[str, ...]) -> NDArray[np.int64]:
    numbers = np.array([obstacles.index(word, 1) for word in coded.dictionary.to_pylist()] + [REACHED])
    return numbers[coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]

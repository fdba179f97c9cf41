"""What is known of how customers responded to messages: sends and human clicks by channel, type of day and hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray
from sqlalchemy import Connection

from include.business_time import day_bounds
from include.db.copy import copy_out_columns
from include.db.sql import source, statement
from include.scheduling.hour_counts import HOURS, SparseCounts
from include.settings import CHANNELS, Settings

DAY_TYPE_NAMES = ("weekday", "weekend")
"""Saturday and Sunday of the customer's own calendar are the weekend."""
LOOK_BACK_HALF_LIVES = 5
"""Older sends would weigh less than a thirtieth."""
LONGEST_LOOK_BACK_DAYS = 36_500
_WORDS = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())


@dataclass(frozen=True)
class Responses:
    """customers: ids, byte by byte. segments: names in the order of their codes. counts: by channel."""

    features_date: date
    customers: pyarrow.StringArray
    segments: list[str]
    counts: dict[str, SparseCounts]


def looked_back_to(end_of_day: datetime, half_life_days: float) -> datetime:
    """Since when sends and clicks are counted that lose half their weight every ``half_life_days``."""
    return end_of_day - timedelta(days=min(LOOK_BACK_HALF_LIVES * half_life_days, LONGEST_LOOK_BACK_DAYS))


def day_type(day: date) -> int:
    """Which of ``DAY_TYPE_NAMES`` a calendar day is."""
    return int(day.weekday() >= 5)


def read_responses(connection: Connection, settings: Settings, business_date: date) -> Responses:
    """Of every customer of the latest ``customer_features`` up to ``business_date``, in the order of their ids.

    As of the end of the date: reward is a human click within 24 hours after sending, and only sends older than that
    count, of the last ``LOOK_BACK_HALF_LIVES``. Raises ValueError when there are no customer features up to
    ``business_date``.
    """
    end_of_day = day_bounds(business_date, settings.business_time_zone)[1]
    bound = {
        "business_date": business_date,
        "end_of_day": end_of_day,
        "since": looked_back_to(end_of_day, settings.scheduling.half_life_days),
        "half_life_days": settings.scheduling.half_life_days,
        "default_zone": settings.customer_time_zone,
        "channels": list(CHANNELS),
    }
    connection.execute(statement(__file__, "create_responders"), bound)
    features_date = connection.exec_driver_sql("select max(business_date) from pg_temp.responders").scalar()
    if features_date is None:
        raise ValueError(f"customer_features has no row up to {business_date}: run build_features for that date first")
    types = {"customer_id": pyarrow.string(), "segment": _WORDS, "active_hours": pyarrow.string()}
    people = copy_out_columns(connection, source(__file__, "select_responders"), types)
    segment, segments = _segments(people["segment"])
    activity = _activity(people, features_date)
    connection.execute(statement(__file__, "create_matured_sends"), bound)
    types = dict.fromkeys(("cell", "channel"), pyarrow.int64())
    types |= dict.fromkeys(("sends", "squares", "clicks"), pyarrow.float64())
    cells = copy_out_columns(connection, source(__file__, "select_matured_sends"), types)
    of = cells["channel"].to_numpy()
    counts: dict[str, SparseCounts] = {}
    for number, channel in enumerate(CHANNELS):
        cell, sends, squares, clicks = (
            cells[name].to_numpy()[of == number] for name in ("cell", "sends", "squares", "clicks")
        )
        worth = float(sends.sum() / squares.sum()) if len(squares) else 1.0
        counts[channel] = SparseCounts(cell, sends, clicks, segment, activity, worth)
    return Responses(features_date, people["customer_id"].combine_chunks(), segments, counts)


def _segments(words: pyarrow.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    coded = words.chunk(0)
    names = coded.dictionary.to_pylist()
    segments = sorted(names)
    return np.array([segments.index(name) for name in names])[coded.indices.to_numpy()], segments


def _activity(people: pyarrow.Table, features_date: date) -> NDArray[np.float32]:
    """(customer, hour) shares of shop activity; zeros where the customer has none."""
    told = pyarrow.compute.utf8_trim(people["active_hours"].chunk(0), "{}")
    known = pyarrow.compute.not_equal(told, "").to_numpy(zero_copy_only=False)
    lists = pyarrow.compute.split_pattern(told.filter(pyarrow.array(known)), ",")
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    if (lengths != HOURS).any():
        raise ValueError(
            f"customer_features.active_hours has a number of entries other than {HOURS} for "
            f"{int((lengths != HOURS).sum()):,} customers on {features_date}: run build_features again"
        )
    shares = np.zeros((len(told), HOURS), np.float32)
    shares[known] = lists.flatten().cast(pyarrow.float32()).to_numpy().reshape(-1, HOURS)
    return shares

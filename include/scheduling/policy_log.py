"""The log of decisions and what came of them, read for off-policy evaluation some customers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from include.business_time import day_bounds
from include.db.sql import statement
from include.db.tables import RANDOM_HOUR
from include.scheduling.hour_counts import DAY_TYPES, HOURS
from include.scheduling.off_policy import Floats, LoggedSends, Mask
from include.scheduling.reward_model import FOLDS, cross_fitted_rates
from include.scheduling.target_policies import clicks_before
from include.settings import CHANNELS, Settings

WINDOW_DAYS = 90
"""Nights whose decisions are valued."""
MEMORY_DAYS = 90
"""Days before them whose sends are known as well, to whoever goes by what was clicked so far."""
BUCKETS = 10_000
"""Of customers; a multiple of the folds."""
ROWS_AT_ONCE = 50_000
"""Customers are read until their sends are so many."""
ACTIONS = len(CHANNELS) * HOURS
NEVER = -1
COUNT = np.dtype(np.int64)

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class LogPart:
    """Sends of some customers, those of one customer always together.

    sends: to be valued; actions are ``channel × 24 + hour``. is_random: drawn for the control, wherever they went then.
    decided: (sends,), the night as a number. own_clicks: (sends, 24), at which hours the customer had clicked before.
    fold, day_type: (sends,). includes_generated: (sends,), clicks made by the generator, not by people.
    """

    sends: LoggedSends
    is_random: Mask
    decided: Numbers
    own_clicks: Floats
    fold: Numbers
    day_type: Numbers
    includes_generated: Mask

    def of(self, chosen: Mask) -> Self:
        arrays = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "sends"}
        return replace(self, sends=self.sends.of(chosen), **{name: array[chosen] for name, array in arrays.items()})


@dataclass(frozen=True)
class PolicyLog:
    """What the whole log says, before its sends are read.

    policy_version: the policy that is valued; None: nothing of it has matured. clicks, sends: (nights, 24), of all
    customers up to each night's end, by hour. rates: (folds, day types, actions), click rates learned from the other
    folds. nights_with_control: nights with matured sends of both kinds.
    """

    policy_version: str | None
    clicks: Floats
    sends: Floats
    rates: Floats
    nights_with_control: Numbers


def stage_log(connection: Connection, settings: Settings, business_date: date) -> PolicyLog:
    """Gather the matured sends as of the end of ``business_date`` in a temporary table of the transaction."""
    zone = settings.business_time_zone
    first_day = business_date - timedelta(days=WINDOW_DAYS + MEMORY_DAYS)
    bound = {
        "first_day": first_day,
        "first_instant": day_bounds(first_day, zone)[0],
        "end_of_day": day_bounds(business_date, zone)[1],
        "business_zone": zone,
        "default_zone": settings.customer_time_zone,
        "buckets": BUCKETS,
    }
    connection.execute(statement(__file__, "stage_valued_sends"), bound)
    connection.execute(text("create index on valued_sends (bucket)"))
    connection.execute(text("analyze valued_sends"))
    version = connection.execute(statement(__file__, "valued_policy"), _valued(None)).scalar_one_or_none()
    nights = connection.execute(statement(__file__, "nights_with_control"), _valued(version)).scalars()
    sends, clicks = _totals_by_night(connection)
    return PolicyLog(version, clicks, sends, _rates(connection), np.array(list(nights), COUNT))


def read_parts(connection: Connection, log: PolicyLog) -> Iterator[LogPart]:
    """All sends to be valued of a log staged in the same transaction; nothing when none has matured."""
    ranges, rows = [[0, BUCKETS - 1]], 0
    for bucket, sends in connection.execute(statement(__file__, "valued_buckets"), _valued(log.policy_version)):
        if rows and rows + sends > ROWS_AT_ONCE:
            ranges[-1][1] = bucket - 1
            ranges.append([bucket, BUCKETS - 1])
            rows = 0
        rows += sends
    for first, last in ranges:
        bound = {**_valued(log.policy_version), "first_bucket": first, "last_bucket": last}
        found = pd.DataFrame(connection.execute(statement(__file__, "logged_sends"), bound).mappings().all())
        if not found.empty and found["to_be_valued"].any():
            yield _part(found)


def _valued(policy_version: str | None) -> dict[str, Any]:
    """Which decisions are valued, to bind."""
    return {"policy_version": policy_version, "first_decided": MEMORY_DAYS + 1}


def _totals_by_night(connection: Connection) -> Floats:
    """(2, nights, 24): sends and clicks of all customers up to the end of each night."""
    by_day = np.zeros((2, WINDOW_DAYS + MEMORY_DAYS + 1, HOURS))
    for row in connection.execute(statement(__file__, "valued_sends_by_day")):
        by_day[:, row.day, row.hour] = row.sends, row.clicks
    return by_day.cumsum(axis=1)


def _rates(connection: Connection) -> Floats:
    counts = np.zeros((2, FOLDS, DAY_TYPES, len(CHANNELS), HOURS))
    for row in connection.execute(statement(__file__, "valued_sends_by_cell"), {"folds": FOLDS}):
        if row.channel in CHANNELS:  # a former tool may have used letters or text messages
            counts[:, row.fold, row.day_type, CHANNELS.index(row.channel), row.hour] = row.sends, row.clicks
    return cross_fitted_rates(*counts).reshape(FOLDS, DAY_TYPES, ACTIONS)


def _part(rows: pd.DataFrame) -> LogPart:
    customer = rows["customer_id"].factorize()[0].astype(COUNT)
    decided = rows["decided"].fillna(NEVER).to_numpy(COUNT)
    hour = rows["hour"].to_numpy(COUNT)
    clicked = rows["clicked"].fillna(NEVER).to_numpy(COUNT)
    own_clicks = clicks_before(customer, decided, hour, clicked, NEVER)
    valued = rows["to_be_valued"].to_numpy(bool)
    chosen = rows.loc[valued]
    feasible, probabilities = _probabilities(chosen)
    sends = LoggedSends(
        customer=customer[valued],
        feasible=feasible,
        probabilities=probabilities,
        action=_offsets(chosen) + hour[valued],
        propensity=chosen["propensity"].to_numpy(np.float64),
        reward=(clicked[valued] != NEVER).astype(np.float64),
    )
    return LogPart(
        sends=sends,
        is_random=(chosen["policy"] == RANDOM_HOUR).to_numpy(),
        decided=decided[valued],
        own_clicks=own_clicks[valued],
        fold=chosen["bucket"].to_numpy(COUNT) % FOLDS,
        day_type=chosen["day_type"].to_numpy(COUNT),
        includes_generated=chosen["generated"].to_numpy(bool),
    )


def _offsets(rows: pd.DataFrame) -> Numbers:
    """The first action of each row's channel."""
    return np.array([CHANNELS.index(channel) * HOURS for channel in rows["channel"]], COUNT)


def _probabilities(rows: pd.DataFrame) -> tuple[Mask, Floats]:
    """(sends, actions) twice: what was feasible, and its probability. A row without any has nothing feasible."""
    feasible, probabilities = np.zeros((len(rows), ACTIONS), bool), np.zeros((len(rows), ACTIONS))
    for row, told in enumerate(rows["slot_probabilities"]):
        for name, hours in (told or {}).items():
            actions = [CHANNELS.index(name) * HOURS + int(hour) for hour in hours]
            feasible[row, actions] = True
            probabilities[row, actions] = list(hours.values())
    return feasible, probabilities

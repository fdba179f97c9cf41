"""Learn every customer's click rate by channel, day type and hour into ``send_time_profiles``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, insert, select

from include.db.copy import copy_in
from include.db.tables import send_time_models, send_time_profiles
from include.scheduling.hour_model import HOURS, HourModel, HourPosterior, SparseCounts
from include.scheduling.responses import DAY_TYPE_NAMES, Responses, day_type, read_responses
from include.settings import CHANNELS, Settings

logger = logging.getLogger(__name__)

CUSTOMERS_AT_ONCE = 8_192
THREADS = 2


@dataclass(frozen=True)
class SendTimeSummary:
    """What ``learn_send_times`` did."""

    business_date: str
    customers: int
    profile_rows: int
    matured_sends: float
    """Decayed, as the model counts them."""
    clicks: float


def learn_send_times(engine: Engine, settings: Settings, *, business_date: date) -> SendTimeSummary:
    """Replace ``send_time_profiles`` by what is known as of the end of ``business_date``, and keep the date's models.

    One row per customer of the latest ``customer_features`` × channel × day type × hour 0 to 23 in the customer's zone;
    one row of ``send_time_models`` per channel, from which ``schedule_messages`` chooses hours. Method: ``hour_model``.
    Raises ValueError when there are no customer features up to ``business_date``.
    """
    started = time.perf_counter()
    with engine.begin() as connection:
        responses = read_responses(connection, settings, business_date)
        connection.execute(delete(send_time_profiles))
        connection.execute(delete(send_time_models).where(send_time_models.c.business_date == business_date))
        rows = 0
        for channel, counts in responses.counts.items():
            model = HourModel.learn(counts, segments=len(responses.segments))
            told = {"segments": responses.segments, "model": model.as_json()}
            row = {"business_date": business_date, "channel": channel, "parameters": told}
            connection.execute(insert(send_time_models).values(row))
            for some in _blocks(len(counts)):
                known = counts.of(some)
                for kind, name in enumerate(DAY_TYPE_NAMES):
                    profile = _profile_rows(responses, some, channel, name, model.posterior(known, kind))
                    rows += copy_in(connection, send_time_profiles, profile.assign(business_date=business_date))
            logger.info("%s: %s", channel, _in_words(model))
    logger.info("Learnt send times of %s customers in %.1f s", len(responses.customers), time.perf_counter() - started)
    totals = [counts.totals for counts in responses.counts.values()]
    return SendTimeSummary(
        business_date=business_date.isoformat(),
        customers=len(responses.customers),
        profile_rows=rows,
        matured_sends=round(sum(sends for sends, _ in totals), 3),
        clicks=round(sum(clicks for _, clicks in totals), 3),
    )


@dataclass(frozen=True)
class Beliefs:
    """What is known of every customer's click rates on days like the send date.

    rate: (channels, customers, hours), expected. log_variance: (channels, customers), of the logarithm of the level.
    """

    rate: NDArray[np.float32]
    log_variance: NDArray[np.float32]
    models: tuple[HourModel, ...]
    counts: tuple[SparseCounts, ...]
    day_type: int

    def posterior(self, channel: int, customers: NDArray[np.int64]) -> HourPosterior:
        """Of these customers (numbers, ascending), worked out anew: kept for all it would take gigabytes."""
        return self.models[channel].posterior(self.counts[channel].of(customers), self.day_type)


def read_beliefs(connection: Connection, settings: Settings, business_date: date, send_date: date) -> Beliefs:
    """Of the customers of ``customer_features`` of the date, by id, byte by byte.

    Raises ValueError when the date's models are missing, or its customer features.
    """
    responses = read_responses(connection, settings, business_date)
    models = _read_models(connection, responses, business_date)
    counts = tuple(responses.counts[channel] for channel in CHANNELS)
    kind, size = day_type(send_date), len(responses.customers)
    rate = np.empty((len(CHANNELS), size, HOURS), np.float32)
    log_variance = np.empty((len(CHANNELS), size), np.float32)

    def believe(some: NDArray[np.int64]) -> None:
        for channel in range(len(CHANNELS)):
            posterior = models[channel].posterior(counts[channel].of(some), kind)
            rate[channel, some], log_variance[channel, some] = posterior.mean, posterior.log_variance

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(believe, _blocks(size)))
    return Beliefs(rate, log_variance, models, counts, kind)


def _read_models(connection: Connection, responses: Responses, business_date: date) -> tuple[HourModel, ...]:
    rows = connection.execute(
        select(send_time_models.c.channel, send_time_models.c.parameters).where(
            send_time_models.c.business_date == business_date
        )
    )
    told = {row.channel: row.parameters for row in rows}
    for channel in CHANNELS:
        if channel not in told or told[channel]["segments"] != responses.segments:
            raise ValueError(
                f"send_time_models has no {channel} model of {business_date} that knows its customers: "
                f"run learn_send_times for {business_date} first"
            )
    return tuple(HourModel.of_json(told[channel]["model"]) for channel in CHANNELS)


def _blocks(customers: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, customers, CUSTOMERS_AT_ONCE):
        yield np.arange(start, min(start + CUSTOMERS_AT_ONCE, customers))


def _in_words(model: HourModel) -> str:
    peaks = model.peaks[1 + HOURS]
    return f"at the hour that suits best {peaks.max() / peaks.min():.1f} times as many click as at the worst"


def _profile_rows(
    responses: Responses, some: NDArray[np.int64], channel: str, kind: str, posterior: HourPosterior
) -> pd.DataFrame:
    (low, high), (alpha, beta) = posterior.interval(), posterior.beta()
    names = responses.customers.take(pyarrow.array(some)).to_numpy(zero_copy_only=False)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(names, HOURS),
            "channel": channel,
            "day_type": kind,
            "hour": np.tile(np.arange(HOURS), len(some)),
            "alpha": alpha.ravel(),
            "beta": beta.ravel(),
            "rate_mean": posterior.mean.ravel(),
            "rate_low": low.ravel(),
            "rate_high": high.ravel(),
        }
    )

"""Learn every customer's click rate by channel, day type and hour, as the view ``send_time_profiles`` shows it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, func, insert, select, text

from include.db.copy import copy_in_binary
from include.db.tables import send_time_curves, send_time_models
from include.scheduling.hour_counts import HOURS, SparseCounts
from include.scheduling.hour_model import HourModel, HourPosterior
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
    """Keep the date's models, and replace ``send_time_profiles`` by what is known at the end of ``business_date``.

    One row of ``send_time_models`` per channel, from which ``schedule_messages`` chooses hours. Profiles have a row per
    customer of the latest ``customer_features`` × channel × day type × hour 0 to 23 in the customer's zone; a date
    before the one they are of leaves them as they are. Method: ``hour_model``. Raises ValueError when there are no
    customer features up to ``business_date``.
    """
    started = time.perf_counter()
    with engine.begin() as connection:
        responses = read_responses(connection, settings, business_date)
        models = {
            channel: HourModel.learn(counts, segments=len(responses.segments))
            for channel, counts in responses.counts.items()
        }
        _keep_models(connection, responses, models, business_date)
        latest = connection.execute(select(func.max(send_time_curves.c.business_date))).scalar()
        rows = 0
        if latest is None or latest <= business_date:
            rows = _replace_profiles(connection, responses, models, business_date)
    logger.info("Learnt send times of %s customers in %.1f s", len(responses.customers), time.perf_counter() - started)
    totals = [counts.totals for counts in responses.counts.values()]
    return SendTimeSummary(
        business_date=business_date.isoformat(),
        customers=len(responses.customers),
        profile_rows=rows,
        matured_sends=round(sum(sends for sends, _ in totals), 3),
        clicks=round(sum(clicks for _, clicks in totals), 3),
    )


def _keep_models(
    connection: Connection, responses: Responses, models: dict[str, HourModel], business_date: date
) -> None:
    connection.execute(delete(send_time_models).where(send_time_models.c.business_date == business_date))
    for channel, model in models.items():
        told = {"segments": responses.segments, "model": model.as_json()}
        row = {"business_date": business_date, "channel": channel, "parameters": told}
        connection.execute(insert(send_time_models).values(row))
        logger.info("%s: %s", channel, _in_words(model))


def _replace_profiles(
    connection: Connection, responses: Responses, models: dict[str, HourModel], business_date: date
) -> int:
    """Returns how many rows ``send_time_profiles`` has."""
    # Rows deleted one by one would leave as much room again to be swept up every night.
    connection.execute(text("truncate marketing.send_time_curves"))
    rows = 0
    for channel, model in models.items():
        counts = responses.counts[channel]
        for some in _blocks(len(counts)):
            known = counts.of(some)
            for kind, name in enumerate(DAY_TYPE_NAMES):
                curves = _curves(responses, some, model.posterior(known, kind))
                told = {"channel": channel, "day_type": name, "business_date": business_date}
                for column, value in told.items():
                    curves = curves.append_column(column, pyarrow.repeat(value, len(some)))
                rows += HOURS * copy_in_binary(connection, send_time_curves, curves)
    return rows


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


def _curves(responses: Responses, some: NDArray[np.int64], posterior: HourPosterior) -> pyarrow.Table:
    low, high = posterior.interval()
    rates = {"rate_mean": posterior.mean, "rate_low": low, "rate_high": high}
    ends = pyarrow.array(np.arange(0, HOURS * len(some) + 1, HOURS, dtype=np.int32))
    lists = {
        name: pyarrow.ListArray.from_arrays(ends, pyarrow.array(rate.ravel().astype(np.float32)))
        for name, rate in rates.items()
    }
    return pyarrow.table({"customer_id": responses.customers.take(pyarrow.array(some)), **lists})

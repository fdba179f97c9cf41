"""Learn every customer's click rate by channel, day type and hour into ``send_time_profiles``."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, delete, insert, select

from include.db.copy import copy_in
from include.db.tables import send_time_models, send_time_profiles
from include.scheduling.hour_model import HOURS, HourModel, HourPosterior
from include.scheduling.responses import DAY_TYPE_NAMES, Responses, day_type, read_responses
from include.settings import CHANNELS, Settings

logger = logging.getLogger(__name__)


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
            for kind, name in enumerate(DAY_TYPE_NAMES):
                profile = _profile_rows(responses, channel, name, model.posterior(counts, kind))
                rows += copy_in(connection, send_time_profiles, profile.assign(business_date=business_date))
            logger.info("%s: %s", channel, _in_words(model))
    logger.info("Learnt send times of %s customers in %.1f s", len(responses.customers), time.perf_counter() - started)
    return SendTimeSummary(
        business_date=business_date.isoformat(),
        customers=len(responses.customers),
        profile_rows=rows,
        matured_sends=round(sum(float(counts.sends.sum()) for counts in responses.counts.values()), 3),
        clicks=round(sum(float(counts.clicks.sum()) for counts in responses.counts.values()), 3),
    )


def read_posteriors(
    connection: Connection, settings: Settings, business_date: date, send_date: date
) -> tuple[pd.Index, dict[str, HourPosterior]]:
    """Customers' ids, and by channel what is known of their click rates on days like ``send_date``, in this order.

    Raises ValueError when the date's models are missing, or its customer features.
    """
    responses = read_responses(connection, settings, business_date)
    rows = connection.execute(
        select(send_time_models.c.channel, send_time_models.c.parameters).where(
            send_time_models.c.business_date == business_date
        )
    )
    told = {row.channel: row.parameters for row in rows}
    posteriors: dict[str, HourPosterior] = {}
    for channel in CHANNELS:
        if channel not in told or told[channel]["segments"] != responses.segments:
            raise ValueError(
                f"send_time_models has no {channel} model of {business_date} that knows its customers: "
                f"run learn_send_times for {business_date} first"
            )
        model = HourModel.of_json(told[channel]["model"])
        posteriors[channel] = model.posterior(responses.counts[channel], day_type(send_date))
    return responses.customers, posteriors


def _in_words(model: HourModel) -> str:
    peaks = model.peaks[1 + HOURS]
    return f"at the hour that suits best {peaks.max() / peaks.min():.1f} times as many click as at the worst"


def _profile_rows(responses: Responses, channel: str, kind: str, posterior: HourPosterior) -> pd.DataFrame:
    (low, high), (alpha, beta) = posterior.interval(), posterior.beta()
    return pd.DataFrame(
        {
            "customer_id": np.repeat(responses.customers.to_numpy(), HOURS),
            "channel": channel,
            "day_type": kind,
            "hour": np.tile(np.arange(HOURS), len(responses.customers)),
            "alpha": alpha.ravel(),
            "beta": beta.ravel(),
            "rate_mean": posterior.mean.ravel(),
            "rate_low": low.ravel(),
            "rate_high": high.ravel(),
        }
    )

"""A day's delivery in virtual time: the product's own run, with a receiver that takes everything at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from include.business_time import day_bounds
from include.delivery import DeliverySummary, deliver_due_messages
from include.delivery.channels import Outcome
from include.delivery.outbox import ClaimedMessage
from include.settings import CHANNELS, Settings

BATCH = 2_000


class Receiver:
    """A channel that writes nothing and refuses nothing; what bounces comes back as an engagement."""

    def send(self, message: ClaimedMessage, items: Mapping[str, Mapping[str, Any]], *, as_of: object) -> Outcome:
        return Outcome("sent")

    def close(self) -> None:
        pass


def deliver_day(engine: Engine, settings: Settings, day: date) -> DeliverySummary:
    """Send what falls due on the business ``day``, hour by hour, in the states that delivery itself keeps.

    A second run finds nothing more to send.
    """
    start, end = day_bounds(day, settings.business_time_zone)
    in_batches = settings.model_copy(update={"delivery": settings.delivery.model_copy(update={"batch_size": BATCH})})
    return deliver_due_messages(
        engine,
        in_batches,
        since=start,
        as_of=end - timedelta(seconds=1),
        worker=f"closed-loop-{day}",
        channels=dict.fromkeys(CHANNELS, Receiver()),
    )

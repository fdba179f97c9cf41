"""What came back: which message it answers, whether a machine did it, and who is not to be written to again."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from include.db.locks import lock
from include.db.sql import statement
from include.delivery.machines import BURST_LINKS, BURST_SECONDS, MACHINE_AGENTS, PROMPT_SECONDS
from include.settings import Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.delivery.engagements"
"""The nightly round and the delivery DAG both read engagements, one after the other."""


@dataclass(frozen=True)
class EngagementSummary:
    """Counts of what changed; a second run over the same rows changes nothing."""

    engagements_resolved: int
    """Found their message by campaign and customer."""
    engagements_unresolved: int
    """Belong to no known message, in all."""
    engagements_marked_machine: int
    engagements_unmarked_machine: int
    suppressed_unsubscribe: int
    suppressed_complaint: int
    suppressed_hard_bounce: int
    suppressed_soft_bounces: int


def process_engagements(engine: Engine, settings: Settings, *, as_of: datetime) -> EngagementSummary:
    """Resolve, mark and suppress by all engagements with occurred_at < ``as_of``, in one transaction.

    A bounce is hard unless its ``attributes`` say ``{"bounce_type": "soft"}``. A suppression begins when its cause
    occurred. A bounce closes the address its message went to; an unsubscribe or complaint closes that one and the one
    the customer has now. An operator reopens an address by ``suppressions.released_at``: only what occurs later closes
    it again; a row deleted instead comes back. Raises ValueError for an ``as_of`` without offset.
    """
    if as_of.utcoffset() is None:
        raise ValueError(f"as_of {as_of} has no UTC offset: write for example 2017-11-30T09:00:00+00:00")
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        resolved = connection.execute(statement(__file__, "resolve_messages"), {"as_of": as_of}).rowcount
        marks = Counter(
            connection.execute(
                statement(__file__, "mark_machines"),
                {
                    "as_of": as_of,
                    "agents": list(MACHINE_AGENTS),
                    "prompt_seconds": PROMPT_SECONDS,
                    "burst_links": BURST_LINKS,
                    "burst_seconds": BURST_SECONDS,
                },
            ).scalars()
        )
        reasons = Counter(
            connection.execute(
                statement(__file__, "suppress_reacting_addresses"),
                {"as_of": as_of, "soft_bounces": settings.delivery.soft_bounces_before_suppression},
            ).scalars()
        )
        unresolved = connection.execute(
            statement(__file__, "count_unresolved_engagements"), {"as_of": as_of}
        ).scalar_one()
    if unresolved:
        logger.warning(
            "%s engagements belong to no known message; look at marketing.engagements.message_id", unresolved
        )
    return EngagementSummary(
        engagements_resolved=resolved,
        engagements_unresolved=unresolved,
        engagements_marked_machine=marks[True],
        engagements_unmarked_machine=marks[False],
        suppressed_unsubscribe=reasons["unsubscribe"],
        suppressed_complaint=reasons["complaint"],
        suppressed_hard_bounce=reasons["hard_bounce"],
        suppressed_soft_bounces=reasons["soft_bounces"],
    )

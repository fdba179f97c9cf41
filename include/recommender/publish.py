"""Drafts of a date become its published lists: all of them, or none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, Table, delete, exists, func, select

from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import NEXT_PURCHASE, recommendation_drafts, recommendations
from include.recommender import registry
from include.recommender.shards import shard_count, shard_of
from include.recommender.vocabulary import NO_MODEL
from include.settings import Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.recommender.publish"


class DraftsIncomplete(RuntimeError):
    """Some shard's drafts are not there, or come from another model than the one in force."""


@dataclass(frozen=True)
class PublicationSummary:
    """What is published for a date; ``published_now`` is false when an earlier try had done it."""

    business_date: str
    model_id: str
    customers: int
    rows: int
    published_now: bool


def publish_recommendations(engine: Engine, settings: Settings, *, business_date: date) -> PublicationSummary:
    """Move the date's drafts to ``recommendations`` in one transaction; a repeat without new drafts changes nothing.

    Every customer of the date's features must have a list of next purchases made with the model in force. A shard
    writes all its rows at once, so its other lists are then there too.

    Raises DraftsIncomplete naming the shards to generate; what was published stays as it was.
    """
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        has_drafts = _any(connection, recommendation_drafts, business_date)
        publish_now = has_drafts or not _any(connection, recommendations, business_date)
        if publish_now:
            _check_complete(connection, settings, business_date)
            _move(connection, business_date)
        published = recommendations.c.business_date == business_date
        customers, rows, model_id = connection.execute(
            select(
                func.count(func.distinct(recommendations.c.customer_id)),
                func.count(),
                func.coalesce(func.max(recommendations.c.model_id), NO_MODEL),
            ).where(published)
        ).one()
    logger.info("%s: %d rows for %d customers are published", business_date, rows, customers)
    return PublicationSummary(business_date.isoformat(), model_id, customers, rows, publish_now)


def _any(connection: Connection, table: Table, business_date: date) -> bool:
    return bool(connection.execute(select(exists().where(table.c.business_date == business_date))).scalar_one())


def _check_complete(connection: Connection, settings: Settings, business_date: date) -> None:
    in_force = registry.model_in_force(connection, business_date)
    missing = connection.execute(
        statement(__file__, "select_undrafted_customers"),
        {
            "business_date": business_date,
            "purpose": NEXT_PURCHASE,
            "model_id": in_force.model_id if in_force else NO_MODEL,
        },
    ).scalars()
    shards = shard_count(connection, settings, business_date)
    incomplete = sorted({shard_of(customer, shards) for customer in missing})
    if incomplete:
        named = ", ".join(map(str, incomplete))
        raise DraftsIncomplete(
            f"not published: drafts of {business_date} are missing, or are of another model than "
            f"{in_force.model_id if in_force else NO_MODEL}, for shards {named} of {shards}; "
            "clear generate_recommendations for these shards"
        )


def _move(connection: Connection, business_date: date) -> None:
    connection.execute(delete(recommendations).where(recommendations.c.business_date == business_date))
    connection.execute(statement(__file__, "insert_recommendations"), {"business_date": business_date})
    connection.execute(delete(recommendation_drafts).where(recommendation_drafts.c.business_date == business_date))

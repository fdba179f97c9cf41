"""The table ``models``: who was promoted, who is champion, and why.

Statuses follow from the decisions and the dates alone: of all promoted models the newest is ``champion`` and the others
are ``retired``. So a night run again, or out of order, leaves the statuses it would have left in order. Whoever takes
a promoted model out of force by hand gives it the status ``rejected``, and the newest promoted one before it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, select, update

from include.db.locks import lock
from include.db.tables import models
from include.recommender.vocabulary import ALS, CHAMPION, PROMOTED, REJECTED, RETIRED

LOCK_NAME = "lamplighter.recommender.models"


@dataclass(frozen=True)
class RegisteredModel:
    """A row of ``models``."""

    model_id: str
    business_date: date
    parameters: dict[str, Any]
    artifact_uri: str
    artifact_sha256: str


def model_in_force(connection: Connection, business_date: date) -> RegisteredModel | None:
    """The newest promoted model of a date up to ``business_date``."""
    return _newest(connection, models.c.business_date <= business_date)


def champion_before(connection: Connection, business_date: date) -> RegisteredModel | None:
    """Who was champion when the night of ``business_date`` began, whatever has run since."""
    return _newest(connection, models.c.business_date < business_date)


def _newest(connection: Connection, condition: Any) -> RegisteredModel | None:
    query = (
        select(
            models.c.model_id,
            models.c.business_date,
            models.c.parameters,
            models.c.artifact_uri,
            models.c.artifact_sha256,
        )
        .where(condition, models.c.status.in_(PROMOTED), models.c.algorithm == ALS)
        .order_by(models.c.business_date.desc(), models.c.model_id)
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else RegisteredModel(**found._mapping)


def register(
    connection: Connection,
    model: RegisteredModel,
    *,
    metrics: dict[str, Any],
    promoted: bool,
    reason: str,
) -> str:
    """Put tonight's model in the place of any other of its date, settle all statuses, and return its own."""
    lock(connection, LOCK_NAME)
    judged = (models.c.algorithm == ALS) & models.c.status.in_((*PROMOTED, REJECTED))
    connection.execute(delete(models).where(judged, models.c.business_date == model.business_date))
    connection.execute(
        insert(models).values(
            model_id=model.model_id,
            algorithm=ALS,
            business_date=model.business_date,
            status=CHAMPION if promoted else REJECTED,
            parameters=model.parameters,
            metrics=metrics,
            artifact_uri=model.artifact_uri,
            artifact_sha256=model.artifact_sha256,
            reason=reason,
        )
    )
    promoted_models = (models.c.algorithm == ALS) & models.c.status.in_(PROMOTED)
    newest = select(func.max(models.c.business_date)).where(promoted_models).scalar_subquery()
    connection.execute(
        update(models)
        .where(promoted_models)
        .values(status=case((models.c.business_date == newest, CHAMPION), else_=RETIRED))
    )
    return connection.execute(select(models.c.status).where(models.c.model_id == model.model_id)).scalar_one()

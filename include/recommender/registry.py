"""The table ``models``: who was promoted, who is champion, and why.

Statuses follow from the decisions and the dates alone: of all promoted models the newest is ``champion`` and the others
are ``retired``. So a night run again, or out of order, leaves the statuses it would have left in order.

A model that is taken out of force by hand is ``rejected``, and the newest promoted one before it serves. No other
date's night brings it back; the night of its own date, run again, judges anew and may promote.

A recipe that ``tune_recommender`` proposes is a row of its own, ``candidate`` until a night has judged it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, or_, select, true, update

from include.db.locks import lock
from include.db.tables import models
from include.recommender.vocabulary import (
    CANDIDATE,
    CHAMPION,
    PROMOTED,
    PROPOSAL,
    RECOMMENDERS,
    REJECTED,
    RETIRED,
    TUNING,
)

LOCK_NAME = "lamplighter.recommender.models"
JUDGED_ON = "judged_on"
"""The date whose night judged a proposal, in its ``metrics``."""


@dataclass(frozen=True)
class RegisteredModel:
    """A row of ``models``."""

    model_id: str
    business_date: date
    algorithm: str
    parameters: dict[str, Any]
    artifact_uri: str
    artifact_sha256: str


@dataclass(frozen=True)
class Entry:
    """What a night registers. artifact_uri: empty for a recipe that was rejected, which nobody could be served by."""

    model_id: str
    algorithm: str
    parameters: dict[str, Any]
    artifact_uri: str
    artifact_sha256: str
    metrics: dict[str, Any]
    promoted: bool
    reason: str


@dataclass(frozen=True)
class Proposal:
    """A recipe to be judged, as JSON."""

    model_id: str
    recipe: dict[str, Any]


def model_in_force(connection: Connection, business_date: date) -> RegisteredModel | None:
    """The newest promoted model of a date up to ``business_date``."""
    return _newest(connection, models.c.business_date <= business_date)


def champion_before(connection: Connection, business_date: date) -> RegisteredModel | None:
    """Who was champion when the night of ``business_date`` began, whatever has run since."""
    return _newest(connection, models.c.business_date < business_date)


def champion(connection: Connection) -> RegisteredModel | None:
    """The newest promoted model of all."""
    return _newest(connection, true())


def promoted_model(connection: Connection, model_id: str) -> RegisteredModel | None:
    """The model of that id if it was promoted, and not taken out of force since."""
    return _newest(connection, models.c.model_id == model_id)


def promoted_ids(connection: Connection) -> list[str]:
    """Every promoted model, the newest first."""
    query = select(models.c.model_id).where(_is_promoted()).order_by(models.c.business_date.desc(), models.c.model_id)
    return list(connection.execute(query).scalars())


def artifacts_beyond(connection: Connection, business_date: date, kept: int) -> list[str]:
    """URIs of all but the newest ``kept`` promoted models of dates up to ``business_date``."""
    query = (
        select(models.c.artifact_uri)
        .where(_is_promoted(), models.c.business_date <= business_date)
        .order_by(models.c.business_date.desc(), models.c.model_id)
    )
    return list(connection.execute(query.offset(kept)).scalars())


def why_rejected(connection: Connection, model_id: str) -> str | None:
    """The reason of the model of that id if it is rejected."""
    query = select(models.c.reason).where(
        models.c.model_id == model_id, models.c.status == REJECTED, models.c.algorithm.in_(RECOMMENDERS)
    )
    return connection.execute(query).scalar_one_or_none()


def take_out_of_force(connection: Connection, newer_than: date, why: str) -> list[str]:
    """Reject every promoted model of a date after ``newer_than``, ``why`` added to its reason; their ids, newest first.

    The newest promoted model that is left becomes champion.
    """
    lock(connection, LOCK_NAME)
    newer = _is_promoted() & (models.c.business_date > newer_than)
    rejected = connection.execute(
        update(models)
        .where(newer)
        .values(status=REJECTED, reason=func.concat(models.c.reason, " ", why))
        .returning(models.c.business_date, models.c.model_id)
    ).all()
    _settle(connection)
    return [row.model_id for row in sorted(rejected, reverse=True)]


def _is_promoted() -> ColumnElement[bool]:
    return models.c.status.in_(PROMOTED) & models.c.algorithm.in_(RECOMMENDERS)


def proposal_for(connection: Connection, business_date: date) -> Proposal | None:
    """The newest proposal of a date before ``business_date`` that no other night has judged."""
    judged_on = models.c.metrics[JUDGED_ON].astext
    query = (
        select(models.c.model_id, models.c.parameters)
        .where(
            models.c.algorithm == PROPOSAL,
            models.c.business_date < business_date,
            or_(judged_on.is_(None), judged_on == business_date.isoformat()),
        )
        .order_by(models.c.business_date.desc(), models.c.model_id)
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else Proposal(found.model_id, found.parameters["recipe"])


def propose(
    connection: Connection,
    model_id: str,
    business_date: date,
    recipe: dict[str, Any],
    metrics: dict[str, Any],
    reason: str,
) -> None:
    """Put a recipe before the nights after ``business_date``, in the place of any other proposed on that date."""
    lock(connection, LOCK_NAME)
    connection.execute(delete(models).where(models.c.algorithm == PROPOSAL, models.c.business_date == business_date))
    connection.execute(
        insert(models).values(
            model_id=model_id,
            algorithm=PROPOSAL,
            business_date=business_date,
            status=CANDIDATE,
            parameters={"recipe": recipe},
            metrics=metrics,
            artifact_uri="",
            artifact_sha256="",
            reason=reason,
        )
    )


def _newest(connection: Connection, condition: Any) -> RegisteredModel | None:
    query = (
        select(
            models.c.model_id,
            models.c.business_date,
            models.c.algorithm,
            models.c.parameters,
            models.c.artifact_uri,
            models.c.artifact_sha256,
        )
        .where(condition, _is_promoted())
        .order_by(models.c.business_date.desc(), models.c.model_id)
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else RegisteredModel(**found._mapping)


def register(
    connection: Connection, business_date: date, entries: Sequence[Entry], proposal: Proposal | None = None
) -> None:
    """Put tonight's models in the place of any others of their date, and settle all statuses.

    proposal: what tonight may have judged; it is settled where one of the entries comes from it.
    """
    lock(connection, LOCK_NAME)
    of_date = models.c.algorithm.in_(RECOMMENDERS) & (models.c.business_date == business_date)
    connection.execute(delete(models).where(of_date))
    for entry in entries:
        connection.execute(
            insert(models).values(
                model_id=entry.model_id,
                algorithm=entry.algorithm,
                business_date=business_date,
                status=CHAMPION if entry.promoted else REJECTED,
                parameters=entry.parameters,
                metrics=entry.metrics,
                artifact_uri=entry.artifact_uri,
                artifact_sha256=entry.artifact_sha256,
                reason=entry.reason,
            )
        )
    _settle_proposal(connection, business_date, entries, proposal)
    _settle(connection)


def _settle(connection: Connection) -> None:
    """The newest promoted model is champion, the others are retired."""
    newest = select(func.max(models.c.business_date)).where(_is_promoted()).scalar_subquery()
    connection.execute(
        update(models)
        .where(_is_promoted())
        .values(status=case((models.c.business_date == newest, CHAMPION), else_=RETIRED))
    )


def _settle_proposal(
    connection: Connection, business_date: date, entries: Sequence[Entry], proposal: Proposal | None
) -> None:
    if proposal is None:
        return
    judged = [
        entry
        for entry in entries
        if entry.parameters["origin"] == TUNING
        and entry.parameters["recipe"] == proposal.recipe
        and "why_not" not in entry.metrics["split"]
    ]
    if judged:
        # A recipe that was promoted goes on as the model's own; the proposal itself never serves.
        status = RETIRED if judged[0].promoted else REJECTED
        metrics = models.c.metrics.concat({JUDGED_ON: business_date.isoformat()})
        connection.execute(
            update(models)
            .where(models.c.model_id == proposal.model_id)
            .values(status=status, metrics=metrics, reason=judged[0].reason)
        )

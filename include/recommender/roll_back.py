"""An earlier model and its lists in force again, by hand: nothing is trained or generated."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, delete, func, select, text

from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import recommendations
from include.recommender import artifact, publish, registry
from include.recommender.registry import RegisteredModel
from include.recommender.vocabulary import NO_MODEL
from include.settings import Settings

logger = logging.getLogger(__name__)

NAMED = 10
"""So many of the known models are named to whoever asks for an unknown one."""


class RollBackRefused(RuntimeError):
    """The model cannot be put in force, and nothing was changed; the message says why and what else can be done."""


@dataclass(frozen=True)
class ModelChoice:
    """The model to put in force."""

    model_id: str


@dataclass(frozen=True)
class RollBackSummary:
    """What is in force now; ``rolled_back_now`` is false when it was before, and nothing has changed.

    rejected: ids of the models taken out of force, the newest first. business_date: the latest published date, whose
    lists were replaced. lists_of: the date that those put back were published for. customers: who have the model's
    lists now. rows: written for that, 0 where they had these lists already. customers_without_lists: whose lists went.
    """

    model_id: str
    rejected: list[str]
    business_date: str | None
    lists_of: str | None
    customers: int
    rows: int
    customers_without_lists: int
    rolled_back_now: bool


def choose_model(engine: Engine, settings: Settings, *, model_id: str | None) -> ModelChoice:
    """The model that ``roll_back_model`` would put in force; changes nothing.

    model_id: None for the newest promoted model before the champion. Whoever may have to try again chooses once and
    then rolls back to what was chosen: a second "before the champion" would go back one model further.

    Raises RollBackRefused as ``roll_back_model`` does.
    """
    with engine.connect() as connection:
        return ModelChoice(_target(connection, model_id).model_id)


def roll_back_model(
    engine: Engine, settings: Settings, *, model_id: str | None, rolled_back_on: date
) -> RollBackSummary:
    """Put an earlier model and the lists it last published in force again, in one transaction.

    model_id: None for the newest promoted model before the champion. rolled_back_on: in the business's zone, for the
    reason that each promoted model newer than the target is rejected with. When the target is champion already,
    nothing changes.

    The latest published date gets the lists of the newest date that the target published, as they were: rows keep
    their model, and stock and purchases since are not looked at. Only customers who have lists on the latest date get
    them, so that nobody comes back who has left the shop. A customer the target had no lists for keeps rows of a model
    that is still promoted, or of none; rows of any other model go, and the customer has no lists until they are
    generated again: better nothing to say than what was just withdrawn. Earlier dates stay as they are.

    Later nights compare with the target. Those of other dates leave a rejected model rejected; the night of its own
    date, run again, judges anew and may promote. So may a night that was training meanwhile.

    Raises RollBackRefused for an id that is unknown or rejected, when there is no earlier model, or when no customer
    would get a list; ArtifactError when the target's artifact is missing or broken. Then nothing has changed.
    """
    with engine.begin() as connection:
        lock(connection, publish.LOCK_NAME)
        lock(connection, registry.LOCK_NAME)
        target = _target(connection, model_id)
        champion = registry.champion(connection)
        if champion is not None and champion.model_id == target.model_id:
            logger.info("%s is the champion already: nothing to do", target.model_id)
            return RollBackSummary(target.model_id, [], None, None, 0, 0, 0, rolled_back_now=False)
        artifact.load(target.artifact_uri, target.artifact_sha256)
        why = f"Taken out of force by hand on {rolled_back_on}, in favour of {target.model_id}."
        rejected = registry.take_out_of_force(connection, target.business_date, why)
        summary = _restore_lists(connection, target.model_id, rejected)
    logger.info("%s is champion; rejected: %s", target.model_id, ", ".join(rejected))
    return summary


def _target(connection: Connection, model_id: str | None) -> RegisteredModel:
    champion = registry.champion(connection)
    if champion is None:
        raise RollBackRefused("no model is in force, and no earlier one can be: none is promoted")
    if model_id is None:
        earlier = registry.champion_before(connection, champion.business_date)
        if earlier is None:
            raise RollBackRefused(f"no promoted model is older than the champion {champion.model_id}")
        return earlier
    target = registry.promoted_model(connection, model_id)
    if target is not None:
        return target
    reason = registry.why_rejected(connection, model_id)
    if reason is not None:
        raise RollBackRefused(
            f"{model_id} is rejected and cannot be put in force; the night of its date, run again, judges anew. "
            f"Its reason: {reason}"
        )
    known = ", ".join(registry.promoted_ids(connection)[:NAMED])
    raise RollBackRefused(f"no model {model_id} is known; the newest that can be put in force: {known}")


def _restore_lists(connection: Connection, model_id: str, rejected: list[str]) -> RollBackSummary:
    dates = select(func.max(recommendations.c.business_date))
    latest = connection.execute(dates).scalar_one()
    lists_of = connection.execute(dates.where(recommendations.c.model_id == model_id)).scalar_one()
    if lists_of is None:
        raise RollBackRefused(f"{model_id} has no published lists to put back; choose another model by its id")
    values = {"model_id": model_id, "latest": latest, "lists_of": lists_of}
    customers = connection.execute(statement(__file__, "create_restored_customers"), values).rowcount
    if not customers:
        raise RollBackRefused(
            f"{model_id} last published for {lists_of}, for none of the customers who have lists of {latest}; "
            "choose another model by its id"
        )
    connection.execute(text("analyze restored_customers"))
    connection.execute(statement(__file__, "delete_replaced_recommendations"), values)
    without_lists = _delete_withdrawn(connection, latest)
    # The target's own lists may be the latest already, where the models after it never published.
    rows = connection.execute(statement(__file__, "insert_restored_recommendations"), values).rowcount
    return RollBackSummary(
        model_id=model_id,
        rejected=rejected,
        business_date=latest.isoformat(),
        lists_of=lists_of.isoformat(),
        customers=customers,
        rows=rows,
        customers_without_lists=without_lists,
        rolled_back_now=True,
    )


def _delete_withdrawn(connection: Connection, latest: date) -> int:
    """Delete what is left of models that are not promoted; the number of customers who had it."""
    table = recommendations
    allowed = [NO_MODEL, *registry.promoted_ids(connection)]
    gone = (
        delete(table)
        .where(table.c.business_date == latest, table.c.model_id.not_in(allowed))
        .returning(table.c.customer_id)
        .cte("gone")
    )
    return int(connection.execute(select(func.count(func.distinct(gone.c.customer_id)))).scalar_one())

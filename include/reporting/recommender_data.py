"""What the page on the recommender shows: the model in force, how its lists would have done, and who came before it.

Figures are those of ``models.metrics``, as the recommender wrote them on the night. An older version may have written
fewer: what is not there is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine, Row

from include.db.sql import statement
from include.db.tables import DISCOVERY, NEXT_PURCHASE, PURPOSES
from include.reporting.estimates import Estimate
from include.reporting.page_data import ModelScore, model_score, snapshot

MODELS_SHOWN = 14
FEATURES_SHOWN = 8
SERVED = "served"
BREAKDOWNS = ("groups", "segments", "exposure", "frontier")
"""Keys of a purpose's metrics that are no list of recommendations."""
ITEM_GROUPS = ("head", "middle", "tail", "new", "never_bought")
CUSTOMER_GROUPS = ("new", "light", "heavy")
POINT = ("diversity", "margin_weight", "ndcg@10", "intra_list_diversity", "mean_margin", "coverage")

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class ListFigures:
    """How the first ten items of one way of making lists fare; means over customers, None where not measured."""

    name: str
    ndcg: Estimate
    recall: float | None
    mean_average_precision: float | None
    coverage: float | None
    """The share of the catalogue that any list shows."""
    with_list: float | None
    """The share of customers who get a list at all."""


@dataclass(frozen=True)
class GroupFigures:
    """nDCG@10 for one group of customers."""

    name: str
    customers: int
    served: float | None
    own_frequency: float | None
    popularity: float | None


@dataclass(frozen=True)
class PurposeFigures:
    """One of the two kinds of lists. exposure: share of list places by item group; leans_on: share by feature."""

    purpose: str
    customers: int
    lists: Sequence[ListFigures]
    """The served one first, the others from the best down."""
    groups: Sequence[GroupFigures]
    segments: Sequence[GroupFigures]
    exposure: Mapping[str, float]
    frontier: Sequence[Metrics]
    leans_on: Mapping[str, float]

    def list_of(self, name: str) -> ListFigures | None:
        """The figures of the list of this name."""
        return next((found for found in self.lists if found.name == name), None)


@dataclass(frozen=True)
class Judging:
    """What the figures were measured on. Dates are the business's.

    cut: the last day that was known; end: the last day that was hidden. in_time: False where a random part of every
    customer's days was hidden instead. why_not: why nothing was measured. differences: of nDCG@10 to the model that
    was in force before, by purpose.
    """

    cut: date | None
    end: date | None
    in_time: bool
    foretold: str
    why_not: str
    differences: Mapping[str, Estimate]


@dataclass(frozen=True)
class ModelInForce:
    model_id: str
    algorithm: str
    business_date: date
    reason: str
    origin: str | None
    """Where its recipe comes from: settings, tuning or plain."""
    learned_on: date | None
    """When its order of candidates was learned; the models beneath are fitted anew each night."""
    judging: Judging
    purposes: Sequence[PurposeFigures]
    """None of them for a model that was not judged."""


@dataclass(frozen=True)
class ModelRow:
    """A model, a rejected recipe or a proposal. state: its status, ``taken_out``, or ``proposal_`` and the status."""

    model_id: str
    business_date: date
    state: str
    reason: str
    next_purchase: ModelScore | None
    discovery: ModelScore | None


@dataclass(frozen=True)
class RecommenderReport:
    """in_force: None before the first model; models: the newest first."""

    in_force: ModelInForce | None
    models: Sequence[ModelRow]


def recommender_report(engine: Engine) -> RecommenderReport:
    """The model in force and the last ``MODELS_SHOWN`` models."""
    with snapshot(engine) as connection:
        row = connection.execute(statement(__file__, "page_model")).one_or_none()
        rows = connection.execute(statement(__file__, "page_models"), {"models": MODELS_SHOWN}).all()
    return RecommenderReport(
        in_force=None if row is None else _in_force(row),
        models=[
            ModelRow(
                model_id=row.model_id,
                business_date=row.business_date,
                state=row.state,
                reason=row.reason,
                next_purchase=model_score(row.metrics, NEXT_PURCHASE),
                discovery=model_score(row.metrics, DISCOVERY),
            )
            for row in rows
        ],
    )


def _in_force(row: Row[Any]) -> ModelInForce:
    metrics = _mapping(row.metrics)
    leans_on = _mapping(metrics.get("leans_on"))
    purposes = [
        _purpose(purpose, _mapping(metrics[purpose]), _mapping(leans_on.get(purpose)))
        for purpose in PURPOSES
        if model_score(metrics, purpose) is not None
    ]
    return ModelInForce(
        model_id=row.model_id,
        algorithm=row.algorithm,
        business_date=row.business_date,
        reason=row.reason,
        origin=row.origin,
        learned_on=_date(row.learned_on),
        judging=_judging(_mapping(metrics.get("split"))),
        purposes=purposes,
    )


def _judging(split: Metrics) -> Judging:
    differences = _mapping(split.get("difference_to_champion"))
    return Judging(
        cut=_date(split.get("cut")),
        end=_date(split.get("end")),
        in_time=split.get("in_time") is not False,
        foretold=str(split.get("foretold") or "purchase"),
        why_not=str(split.get("why_not") or ""),
        differences={
            purpose: Estimate(*(_number(of_purpose, part) for part in ("mean", "low", "high")))
            for purpose in PURPOSES
            if (of_purpose := _mapping(differences.get(purpose)))
        },
    )


def _purpose(purpose: str, figures: Metrics, leans_on: Metrics) -> PurposeFigures:
    lists = [
        _list(name, _mapping(found))
        for name, found in figures.items()
        if name not in BREAKDOWNS and _number(_mapping(found), "ndcg@10") is not None
    ]
    shares = _numbers(leans_on)
    return PurposeFigures(
        purpose=purpose,
        customers=int(_number(_mapping(figures[SERVED]), "customers") or 0),
        lists=sorted(lists, key=lambda found: (found.name != SERVED, -(found.ndcg.value or 0), found.name)),
        groups=_groups(figures.get("groups"), CUSTOMER_GROUPS),
        segments=_groups(figures.get("segments"), ()),
        exposure=_in_order(_numbers(_mapping(figures.get("exposure"))), ITEM_GROUPS),
        frontier=[point for point in figures.get("frontier") or () if all(key in point for key in POINT)],
        leans_on=dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:FEATURES_SHOWN]),
    )


def _list(name: str, figures: Metrics) -> ListFigures:
    return ListFigures(
        name=name,
        ndcg=Estimate(*(_number(figures, part) for part in ("ndcg@10", "low", "high"))),
        recall=_number(figures, "recall@10"),
        mean_average_precision=_number(figures, "map@10"),
        coverage=_number(figures, "coverage"),
        with_list=_number(figures, "with_list"),
    )


def _groups(groups: Any, order: Sequence[str]) -> list[GroupFigures]:
    """Those of ``order`` first; the others by the number of their customers."""
    found = [
        GroupFigures(
            name=name,
            customers=int(_number(figures, "customers") or 0),
            served=_number(figures, SERVED),
            own_frequency=_number(figures, "own_frequency"),
            popularity=_number(figures, "popularity"),
        )
        for name, figures in ((name, _mapping(figures)) for name, figures in _mapping(groups).items())
    ]
    return sorted(found, key=lambda group: (_place(group.name, order), -group.customers, group.name))


def _in_order(shares: Mapping[str, float], order: Sequence[str]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda pair: (_place(pair[0], order), pair[0])))


def _place(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def _mapping(value: Any) -> Metrics:
    return value if isinstance(value, Mapping) else {}


def _numbers(values: Metrics) -> dict[str, float]:
    return {name: found for name in values if (found := _number(values, name)) is not None}


def _number(values: Metrics, name: str) -> float | None:
    found = values.get(name)
    return float(found) if isinstance(found, int | float) else None


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None

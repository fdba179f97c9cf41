"""What a recommender is made of: the models that propose, with their parameters, and how their order is learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from include.recommender.models import (
    PARAMETERS,
    AttributesParameters,
    EaseParameters,
    ImplicitAlsParameters,
    ItemNeighboursParameters,
    OwnHistoryParameters,
    PopularityParameters,
    UserNeighboursParameters,
    model_of,
)
from include.recommender.ranker import RankerParameters

Parts = Mapping[str, Any]
"""Parameters of each model by the part's name; one kind of model may play several parts."""


def default_parts() -> dict[str, Any]:
    """Models that find different things: what is due, what goes together, what like customers have, what is new."""
    return {
        "own_history": OwnHistoryParameters(120.0),
        "own_lately": OwnHistoryParameters(30.0),
        "als": ImplicitAlsParameters(factors=128),
        "ease": EaseParameters(),
        "item_neighbours": ItemNeighboursParameters(),
        "user_neighbours": UserNeighboursParameters(),
        "recent_neighbours": UserNeighboursParameters(votes_half_life_days=14.0, neighbours=300),
        "attributes": AttributesParameters(),
        "trending": PopularityParameters(counts="customers"),
        "popularity": PopularityParameters(),
    }


@dataclass(frozen=True)
class Recipe:
    """parts: in the order in which they name an item that several propose at the same rank."""

    parts: Parts = field(default_factory=default_parts)
    ranker: RankerParameters = field(default_factory=RankerParameters)

    def as_json(self) -> dict[str, Any]:
        return {
            "parts": {
                name: {"model": model_of(parameters).name} | asdict(parameters)
                for name, parameters in self.parts.items()
            },
            "ranker": asdict(self.ranker),
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises ValueError for a model or parameter that this version does not know."""
        kinds = {model.name: parameters for model, parameters in PARAMETERS.items()}
        parts = {}
        for name, given in value["parts"].items():
            chosen = dict(given)
            kind = chosen.pop("model")
            try:
                parts[name] = kinds[kind](**chosen)
            except (KeyError, TypeError) as error:
                raise ValueError(f"part {name}: this version has no model {kind} with {chosen}") from error
        return cls(parts, RankerParameters(**value["ranker"]))

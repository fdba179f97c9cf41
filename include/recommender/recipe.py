"""What a recommender is made of: the models that propose, with their parameters, and how their order is learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
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

    @classmethod
    def plain(cls) -> Self:
        """What serves where no recipe has shown that it is better: no ranker, and nothing that takes faith."""
        names = ("own_history", "attributes", "popularity")
        parts = {name: parameters for name, parameters in default_parts().items() if name in names}
        return cls(parts, RankerParameters(rounds=0))

    @classmethod
    def of_settings(cls, models: Mapping[str, Mapping[str, Any] | None], ranker: Mapping[str, Any]) -> Self:
        """The defaults, but for what ``recommender.models`` and ``recommender.ranker`` say; None leaves a part out.

        Raises ValueError for a part, model or parameter that this version does not know, naming the setting.
        """
        parts = default_parts()
        for name, given in models.items():
            if given is None:
                parts.pop(name, None)
                continue
            if name not in parts:
                raise ValueError(
                    f"setting recommender.models has no part {name!r}: the parts are {', '.join(default_parts())}"
                )
            parts[name] = _changed(parts[name], given, f"recommender.models.{name}")
        if "popularity" not in parts:
            raise ValueError("setting recommender.models leaves out popularity, which serves whoever has no history")
        return cls(parts, _changed(RankerParameters(), ranker, "recommender.ranker"))

    def as_json(self) -> dict[str, Any]:
        return {
            # A list: their order counts, and Postgres keeps none of an object's keys.
            "parts": [
                {"part": name, "model": model_of(parameters).name} | asdict(parameters)
                for name, parameters in self.parts.items()
            ],
            "ranker": asdict(self.ranker),
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises ValueError for a model or parameter that this version does not know."""
        kinds = {model.name: parameters for model, parameters in PARAMETERS.items()}
        parts = {}
        for given in value["parts"]:
            chosen = dict(given)
            name, kind = chosen.pop("part"), chosen.pop("model")
            try:
                parts[name] = kinds[kind](**chosen)
            except (KeyError, TypeError) as error:
                raise ValueError(f"part {name}: this version has no model {kind} with {chosen}") from error
        try:
            return cls(parts, RankerParameters(**value["ranker"]))
        except TypeError as error:
            raise ValueError(f"this version has no ranker with {value['ranker']}") from error


WORDS = {"transform": ("raw", "root", "log", "binary"), "counts": ("days", "customers")}
"""What a parameter that is a word may say."""
MAY_BE_ZERO = {"power", "frequency_scaling", "brand_weight", "rounds", "l2", "seed", "segment_strength"}
"""All other numbers must be above zero."""
AT_MOST_ONE = {"feature_share", "row_share", "negative_share"}
AT_LEAST_TWO = {"leaves"}


def _changed(parameters: Any, given: Mapping[str, Any], setting: str) -> Any:
    known = [one.name for one in fields(parameters)]
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"setting {setting} has no {name!r}: it knows {', '.join(known)}")
        fault = _fault(name, getattr(parameters, name), value)
        if fault:
            raise ValueError(f"setting {setting}.{name} is {value!r}: it must be {fault}")
    return replace(parameters, **given)


def _fault(name: str, before: Any, value: Any) -> str:
    """What the value must be and is not; empty where it is in order."""
    if name in WORDS:
        return "" if value in WORDS[name] else f"one of {', '.join(WORDS[name])}"
    whole = isinstance(before, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return "a whole number" if whole else "a number"
    if not isfinite(value):
        return "a finite number"
    if value < 0 or (value == 0 and name not in MAY_BE_ZERO):
        return "0 or more" if name in MAY_BE_ZERO else "above 0"
    if name in AT_MOST_ONE and value > 1:
        return "at most 1"
    return "at least 2" if name in AT_LEAST_TWO and value < 2 else ""

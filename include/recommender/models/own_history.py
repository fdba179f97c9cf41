"""What a customer had often and lately: on groceries the best single model there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from scipy.sparse import csr_matrix

from include.recommender.history import History
from include.recommender.models.interface import Arrays


@dataclass(frozen=True)
class OwnHistoryParameters:
    half_life_days: float = 120.0


@dataclass(frozen=True)
class OwnHistory:
    """Days with the item, decayed. Nothing is learned: the score is read off the customer's own history."""

    parameters: OwnHistoryParameters

    name: ClassVar[str] = "own_history"

    @classmethod
    def fit(cls, history: History, parameters: OwnHistoryParameters, *, threads: int = 1) -> Self:
        return cls(parameters)

    def scores(self, history: History, *, threads: int = 1) -> csr_matrix:
        return history.weights(self.parameters.half_life_days)

    def arrays(self) -> Arrays:
        return {}

    @classmethod
    def restore(cls, parameters: dict[str, Any], arrays: Arrays) -> Self:
        return cls(OwnHistoryParameters(**parameters))

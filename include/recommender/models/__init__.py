"""Candidate models, one file each behind one interface: ``interface.CandidateModel``."""

from __future__ import annotations

from typing import Any

from include.recommender.models.attributes import Attributes, AttributesParameters
from include.recommender.models.ease import Ease, EaseParameters
from include.recommender.models.implicit_als import ImplicitAls, ImplicitAlsParameters
from include.recommender.models.interface import CandidateModel
from include.recommender.models.item_neighbours import ItemNeighbours, ItemNeighboursParameters
from include.recommender.models.own_history import OwnHistory, OwnHistoryParameters
from include.recommender.models.popularity import Popularity, PopularityParameters
from include.recommender.models.profile_ridge import ProfileRidge, ProfileRidgeParameters
from include.recommender.models.user_neighbours import UserNeighbours, UserNeighboursParameters

PARAMETERS: dict[type[CandidateModel], type[Any]] = {
    Popularity: PopularityParameters,
    OwnHistory: OwnHistoryParameters,
    ItemNeighbours: ItemNeighboursParameters,
    UserNeighbours: UserNeighboursParameters,
    ImplicitAls: ImplicitAlsParameters,
    Ease: EaseParameters,
    Attributes: AttributesParameters,
    ProfileRidge: ProfileRidgeParameters,
}
"""What each model takes."""

CANDIDATE_MODELS: tuple[type[CandidateModel], ...] = tuple(PARAMETERS)


def model_of(parameters: Any) -> type[CandidateModel]:
    """The model that takes these parameters."""
    return next(model for model, taken in PARAMETERS.items() if isinstance(parameters, taken))


__all__ = [
    "CANDIDATE_MODELS",
    "PARAMETERS",
    "Attributes",
    "AttributesParameters",
    "Ease",
    "EaseParameters",
    "ImplicitAls",
    "ImplicitAlsParameters",
    "ItemNeighbours",
    "ItemNeighboursParameters",
    "OwnHistory",
    "OwnHistoryParameters",
    "Popularity",
    "PopularityParameters",
    "ProfileRidge",
    "ProfileRidgeParameters",
    "UserNeighbours",
    "UserNeighboursParameters",
    "model_of",
]

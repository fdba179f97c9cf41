"""Candidate models, one file each behind one interface: ``interface.CandidateModel``.

The nightly training and its lists do not use them yet.
"""

from include.recommender.models.attributes import Attributes, AttributesParameters
from include.recommender.models.ease import Ease, EaseParameters
from include.recommender.models.implicit_als import ImplicitAls, ImplicitAlsParameters
from include.recommender.models.interface import CandidateModel
from include.recommender.models.item_neighbours import ItemNeighbours, ItemNeighboursParameters
from include.recommender.models.own_history import OwnHistory, OwnHistoryParameters
from include.recommender.models.popularity import Popularity, PopularityParameters
from include.recommender.models.profile_ridge import ProfileRidge, ProfileRidgeParameters
from include.recommender.models.user_neighbours import UserNeighbours, UserNeighboursParameters

CANDIDATE_MODELS: tuple[type[CandidateModel], ...] = (
    Popularity,
    OwnHistory,
    ItemNeighbours,
    UserNeighbours,
    ImplicitAls,
    Ease,
    Attributes,
    ProfileRidge,
)

__all__ = [
    "CANDIDATE_MODELS",
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
]

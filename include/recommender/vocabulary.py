"""The words of ``recommendations`` and ``models`` that other rooms, and people, read. Written once."""

from __future__ import annotations

TWO_STAGE = "two_stage"
"""``models.algorithm`` of models that propose and a ranker that orders."""

PLAIN = "plain"
"""``models.algorithm`` of own history, favourites and popularity, which serve where nothing else may."""

RECOMMENDERS = (TWO_STAGE, PLAIN)
"""``models.algorithm`` of whatever may make lists; a model of any other kind is never in force for them."""
PROPOSAL = "proposal"
"""``models.algorithm`` of a recipe that tune_recommender proposes: a candidate until a night has judged it."""

SETTINGS, TUNING = "settings", "tuning"
"""Where a recipe comes from: ``models.parameters.origin``."""

SERVED = "served"
OWN_FREQUENCY = "own_frequency"
"""Lists in ``models.metrics`` that are no part of a recipe."""

ALS = "als"
OWN_HISTORY = "own_history"
LOOKED_AT = "looked_at"
CATEGORY_FAVOURITES = "category_favourites"
EASE = "ease"
ITEM_NEIGHBOURS = "item_neighbours"
USER_NEIGHBOURS = "user_neighbours"
TRENDING = "trending"
LOCAL_POPULARITY = "local_popularity"
POPULARITY = "popularity"

NO_MODEL = "none"
"""``recommendations.model_id`` where no model was in force."""

CANDIDATE = "candidate"
CHAMPION = "champion"
RETIRED = "retired"
REJECTED = "rejected"
PROMOTED = (CHAMPION, RETIRED)
"""A promoted model is champion until the next one is; then it is retired."""

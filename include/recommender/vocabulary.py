"""The words of ``recommendations`` and ``models`` that other rooms, and people, read. Written once."""

from __future__ import annotations

ALS = "als"
OWN_HISTORY = "own_history"
CATEGORY_FAVOURITES = "category_favourites"
POPULARITY = "popularity"

NO_MODEL = "none"
"""``recommendations.model_id`` where no model was in force."""

CHAMPION = "champion"
RETIRED = "retired"
REJECTED = "rejected"
PROMOTED = (CHAMPION, RETIRED)
"""A promoted model is champion until the next one is; then it is retired."""

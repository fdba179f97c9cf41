"""Metrics and rows of ``models`` as the recommender writes them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from include.db import tables

HOSTILE = "<script>alert('reason')</script><img src=x onerror=alert(2)>"


def figures(ndcg: float, low: float | None = None, high: float | None = None) -> dict[str, float]:
    return {
        "ndcg@10": ndcg,
        "low": round(0.95 * ndcg, 6) if low is None else low,
        "high": round(1.05 * ndcg, 6) if high is None else high,
        "recall@10": round(0.8 * ndcg, 6),
        "map@10": round(0.5 * ndcg, 6),
        "coverage": 0.124,
        "customers": 2214,
        "with_list": 0.996,
    }


def group(customers: int, served: float) -> dict[str, float]:
    return {"customers": customers, "served": served, "own_frequency": 0.93 * served, "popularity": 0.4 * served}


def frontier(best: float) -> list[dict[str, float]]:
    """A point for every margin weight and λ, as accuracy falls and variety and margin rise."""
    return [
        {
            "diversity": diversity,
            "margin_weight": weight,
            "ndcg@10": round(best * (1 - 0.22 * diversity**1.6 - 0.09 * weight), 6),
            "intra_list_diversity": round(0.58 + 0.31 * diversity**0.7 + 0.01 * weight, 6),
            "mean_margin": round(0.27 + 0.05 * weight, 6),
            "coverage": round(0.12 + 0.05 * diversity, 6),
        }
        for weight in (0.0, 0.1, 0.3, 1.0)
        for diversity in (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
    ]


FULL: dict[str, Any] = {
    "next_purchase": {
        "served": figures(0.0812, 0.0771, 0.0852),
        "fused": figures(0.0759),
        "own_frequency": figures(0.0764),
        "own_lately": figures(0.0748),
        "als": figures(0.0797),
        "ease": figures(0.0671),
        "item_neighbours": figures(0.0655),
        "user_neighbours": figures(0.0702),
        "recent_neighbours": figures(0.0689),
        "attributes": figures(0.0419),
        "trending": figures(0.0262),
        "popularity": figures(0.0331),
        "groups": {"heavy": group(1104, 0.1012), "light": group(1066, 0.0613), "new": group(44, 0.0391)},
        "segments": {"": group(12, 0.02), "at_risk": group(391, 0.0711), "loyal": group(1811, 0.0844)},
        "exposure": {"head": 0.5521, "middle": 0.3011, "never_bought": 0.0004, "new": 0.0152, "tail": 0.1312},
        "frontier": frontier(0.0812),
    },
    "discovery": {
        "served": figures(0.0274),
        "fused": figures(0.0249),
        "own_frequency": figures(0.0008),
        "als": figures(0.0231),
        "ease": figures(0.0258),
        "item_neighbours": figures(0.0243),
        "popularity": figures(0.0161),
        "groups": {"heavy": group(1091, 0.0281), "light": group(1032, 0.0269), "new": group(41, 0.0207)},
        "segments": {"at_risk": group(377, 0.0251), "loyal": group(1787, 0.0279)},
        "exposure": {"head": 0.4122, "middle": 0.3651, "new": 0.0511, "tail": 0.1716},
        "frontier": frontier(0.0274),
    },
    "split": {
        "end": "2017-11-30",
        "foretold": "purchase",
        "cut": "2017-11-02",
        "in_time": True,
        "splits": 6,
        "difference_to_champion": {
            "next_purchase": {"mean": 0.001234, "low": -0.0004, "high": 0.0029},
            "discovery": {"mean": -0.0002, "low": -0.0011, "high": 0.0007},
        },
    },
    "leans_on": {
        "next_purchase": {
            "own_share_of_visits": 0.3123,
            "rank_own_history": 0.1512,
            "own_due": 0.1024,
            "score_user_neighbours": 0.0871,
            "own_days_since": 0.0533,
            "category_days_since": 0.0412,
            "popularity_30": 0.0371,
            "brand_lift": 0.0299,
            "price_fit": 0.0101,
        },
        "discovery": {"score_ease": 0.2214, "rank_als": 0.1411, "met_30": 0.1102, "category_share": 0.0914},
    },
}

UNJUDGED = {
    "split": {
        "end": "2017-11-30",
        "foretold": "view",
        "customers": 0,
        "why_not": "First model, not judged: history is too short to split.",
    }
}


def put_model(connection: Connection, model_id: str, business_date: date, status: str, **columns: Any) -> None:
    """A row of ``models``: a two-stage model with an artifact unless ``columns`` say otherwise."""
    connection.execute(
        insert(tables.models),
        {
            "model_id": model_id,
            "business_date": business_date,
            "status": status,
            "algorithm": "two_stage",
            "parameters": {"origin": "settings", "learned_on": business_date.isoformat()},
            "metrics": {},
            "artifact_uri": "file:///x",
            "artifact_sha256": "0",
            "reason": f"Reason of {model_id}.",
        }
        | columns,
    )


def put_every_kind(connection: Connection, latest: date) -> None:
    """A champion of ``latest`` with all figures, and before it one model of every state there is."""

    def back(days: int) -> date:
        return latest - timedelta(days=days)

    put_model(
        connection,
        "two_stage-full",
        latest,
        "champion",
        metrics=FULL,
        parameters={"origin": "tuning", "learned_on": back(2).isoformat()},
        reason="Promoted: nDCG@10 differs from champion two_stage-was by +0.0012 for next_purchase (interval -0.0004 "
        "to +0.0029), tolerance 0.01; its nDCG@10 of 0.0812 for next_purchase beats popularity's 0.0331.",
    )
    proposal: dict[str, Any] = {"algorithm": "proposal", "parameters": {"recipe": {}}, "artifact_uri": ""}
    put_model(connection, "proposal-open", latest, "candidate", **proposal)
    put_model(connection, "proposal-good", back(1), "retired", **proposal, metrics={"judged_on": latest.isoformat()})
    put_model(connection, "proposal-bad", back(2), "rejected", **proposal)
    put_model(connection, "two_stage-was", back(3), "retired", metrics={"next_purchase": {"served": figures(0.08)}})
    put_model(
        connection,
        "two_stage-withdrawn",
        back(4),
        "rejected",
        reason="Promoted: better. Taken out of force by hand on 2017-11-28, in favour of two_stage-was.",
    )
    put_model(connection, "two_stage-refused", back(5), "rejected", artifact_uri="", reason=HOSTILE)

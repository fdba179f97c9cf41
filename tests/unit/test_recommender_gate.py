"""The gate's four answers, and what it must not let through."""

from __future__ import annotations

import numpy as np
import pytest

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import gate
from include.recommender.gate import Figures, Verdict

GENERATOR = np.random.default_rng(9)
BASE = GENERATOR.random(400) * 0.4
POPULARITY = BASE * 0.5


def figures(served: np.ndarray, popularity: np.ndarray = POPULARITY, discovery: np.ndarray = BASE) -> Figures:
    return {
        NEXT_PURCHASE: {"served": served, "popularity": popularity},
        DISCOVERY: {"served": discovery, "popularity": popularity[: len(discovery)]},
    }


def judge(challenger: Figures, champion: Figures | None, *, refresh: bool = False, name: str | None = "m0") -> Verdict:
    return gate.judge(challenger, champion, champion_id=name, refresh=refresh, tolerance=0.01, draws=500, seed=[1])


def test_first_model_needs_only_to_beat_popularity() -> None:
    assert judge(figures(BASE), None, name=None).promoted
    refused = judge(figures(POPULARITY), None, name=None)
    assert not refused.promoted
    assert refused.reason == (
        f"Rejected: nDCG@10 of {POPULARITY.mean():.4f} for next_purchase does not beat popularity's "
        f"{POPULARITY.mean():.4f}; no model is in force and lists fall back."
    )


def test_discovery_may_equal_popularity_but_not_fall_below_it() -> None:
    assert judge(figures(BASE, discovery=POPULARITY - 0.009), None, name=None).promoted
    refused = judge(figures(BASE, discovery=POPULARITY - 0.011), None, name=None)
    assert not refused.promoted
    assert "for discovery does not beat popularity's" in refused.reason


def test_same_recipe_is_a_refresh_with_difference_zero() -> None:
    verdict = judge(figures(BASE), None, refresh=True)
    assert verdict.promoted
    assert {(one.mean, one.low, one.high) for one in verdict.differences.values()} == {(0, 0, 0)}
    assert verdict.reason.startswith("Refresh: same recipe as champion m0, fresher data;")


def test_a_refresh_too_must_beat_popularity() -> None:
    assert not judge(figures(POPULARITY * 0.9), None, refresh=True).promoted


@pytest.mark.parametrize("purpose", [NEXT_PURCHASE, DISCOVERY])
@pytest.mark.parametrize(
    ("shift", "promoted"), [(0.02, True), (0.0, True), (-0.009, True), (-0.011, False), (-0.05, False)]
)
def test_lower_bound_decides_against_the_tolerance(shift: float, promoted: bool, purpose: str) -> None:
    """The same shift for everyone has an interval without width, so the bound is exact."""
    shifted = figures(BASE + shift) if purpose == NEXT_PURCHASE else figures(BASE, discovery=BASE + shift)
    verdict = judge(shifted, figures(BASE))
    assert verdict.promoted is promoted
    assert "tolerance 0.01" in verdict.reason


def test_a_noisy_tie_is_not_enough() -> None:
    """Equal means, but so few and so unlike that the interval reaches far below the tolerance."""
    noise = np.tile([0.3, -0.3], 200)
    verdict = judge(figures(BASE + noise), figures(BASE))
    assert not verdict.promoted
    assert verdict.differences[NEXT_PURCHASE].low < -0.01 < verdict.differences[NEXT_PURCHASE].mean + 1e-9


def test_what_is_certainly_worse_must_be_no_worse_for_the_other_purpose() -> None:
    """Else each week's proposal could lose a little, and nothing would stop the drift."""
    worse = figures(BASE - 0.006, discovery=BASE - 0.001)
    assert not judge(worse, figures(BASE)).promoted
    assert judge(figures(BASE - 0.006, discovery=BASE + 0.001), figures(BASE)).promoted


def test_a_purpose_with_few_customers_has_no_say() -> None:
    assert judge(figures(BASE, discovery=POPULARITY[:49] - 1), None, name=None).promoted
    assert judge(figures(BASE[:49], POPULARITY[:49], BASE[:49]), None, name=None).reason.startswith(
        "First model, not judged: fewer than 50 customers"
    )


def test_a_rival_without_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="champion m0 has another recipe"):
        judge(figures(BASE), None)


def test_without_evidence_only_a_first_model_or_a_refresh_passes() -> None:
    why = "history is too short to split"
    assert gate.judge_unseen(why, champion_id=None, refresh=False).promoted
    assert gate.judge_unseen(why, champion_id="m0", refresh=True).promoted
    refused = gate.judge_unseen(why, champion_id="m0", refresh=False)
    assert not refused.promoted
    assert refused.reason == "Rejected: no evidence against champion m0, which stays; history is too short to split."

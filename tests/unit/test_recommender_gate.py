"""The gate's four answers, and what it must not let through."""

from __future__ import annotations

import numpy as np
import pytest

from include.recommender import gate
from include.recommender.gate import Verdict

GENERATOR = np.random.default_rng(9)
BASE = GENERATOR.random(400) * 0.4
POPULARITY = BASE * 0.5


def judge(
    challenger: np.ndarray, champion: np.ndarray | None, *, same: bool = False, name: str | None = "m0"
) -> Verdict:
    return gate.judge(
        challenger,
        POPULARITY,
        champion,
        champion_id=name,
        same_parameters=same,
        tolerance=0.01,
        draws=500,
        seed=[1],
    )


def test_first_model_needs_only_to_beat_popularity() -> None:
    assert judge(BASE, None, name=None).promoted
    refused = judge(POPULARITY, None, name=None)
    assert not refused.promoted
    assert refused.reason == (
        f"Rejected: nDCG@10 of {POPULARITY.mean():.4f} does not beat popularity's {POPULARITY.mean():.4f}; "
        "no model is in force and lists fall back."
    )


def test_same_parameters_are_a_refresh_with_difference_zero() -> None:
    verdict = judge(BASE, None, same=True)
    assert verdict.promoted
    assert verdict.difference is not None
    assert (verdict.difference.mean, verdict.difference.low, verdict.difference.high) == (0, 0, 0)
    assert verdict.reason.startswith("Refresh: same parameters as champion m0, fresher data;")


def test_a_refresh_too_must_beat_popularity() -> None:
    assert not judge(POPULARITY * 0.9, None, same=True).promoted


@pytest.mark.parametrize(
    ("shift", "promoted"), [(0.02, True), (0.0, True), (-0.009, True), (-0.011, False), (-0.05, False)]
)
def test_lower_bound_decides_against_the_tolerance(shift: float, promoted: bool) -> None:
    """The same shift for everyone has an interval without width, so the bound is exact."""
    verdict = judge(BASE + shift, BASE)
    assert verdict.promoted is promoted
    assert "tolerance 0.01" in verdict.reason


def test_a_noisy_tie_is_not_enough() -> None:
    """Equal means, but so few and so unlike that the interval reaches far below the tolerance."""
    noise = np.tile([0.3, -0.3], 200)
    verdict = judge(BASE + noise, BASE)
    assert not verdict.promoted
    assert verdict.difference is not None
    assert verdict.difference.low < -0.01 < verdict.difference.mean + 1e-9


def test_a_rival_without_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="champion m0 has other parameters"):
        judge(BASE, None)


def test_without_evidence_only_a_first_model_or_a_refresh_passes() -> None:
    why = "history is too short to split"
    assert gate.judge_unseen(why, champion_id=None, same_parameters=False).promoted
    assert gate.judge_unseen(why, champion_id="m0", same_parameters=True).promoted
    refused = gate.judge_unseen(why, champion_id="m0", same_parameters=False)
    assert not refused.promoted
    assert refused.reason == "Rejected: no evidence against champion m0, which stays; history is too short to split."

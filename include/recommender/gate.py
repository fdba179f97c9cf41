"""Whether tonight's model may serve: pure decision over per-customer nDCG@10 of the same customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.db.tables import DISCOVERY
from include.recommender.metrics import FloatArray, Interval, bootstrap_interval
from include.recommender.vocabulary import POPULARITY, SERVED

Figures = Mapping[str, Mapping[str, FloatArray]]
"""nDCG@10 (customers,) by purpose and list."""

MINIMUM_CUSTOMERS = 50
"""A purpose with fewer judged customers has no say."""


@dataclass(frozen=True)
class Verdict:
    """promoted, and the sentence that says why or why not. differences: to the champion, by purpose."""

    promoted: bool
    reason: str
    differences: Mapping[str, Interval] = field(default_factory=dict)


def judge(
    challenger: Figures,
    champion: Figures | None,
    *,
    champion_id: str | None,
    refresh: bool,
    tolerance: float,
    draws: int,
    seed: list[int],
) -> Verdict:
    """The gate: better than popularity, and not worse than the champion beyond ``tolerance``, for either purpose.

    For discovery, not worse than popularity beyond ``tolerance``.

    The difference to the champion is the paired bootstrap's over customers; its lower bound must lie above
    -tolerance, and what is certainly worse for one purpose must be no worse for the other. champion: None when there is
    none, or in a ``refresh`` of its recipe with fresher data: fitted on the same history it is then the same model, and
    the difference is exactly 0. Raises ValueError when a champion of another recipe comes without its figures.
    """
    purposes = [purpose for purpose, of_lists in challenger.items() if len(of_lists[SERVED]) >= MINIMUM_CUSTOMERS]
    stays = f"champion {champion_id} stays" if champion_id else "no model is in force and lists fall back"
    beats = []
    for purpose in purposes:
        own, popular = challenger[purpose][SERVED].mean(), challenger[purpose][POPULARITY].mean()
        # What is new to a customer is often too rare to tell two lists apart: there, not being worse is enough.
        if own <= popular - (tolerance if purpose == DISCOVERY else 0):
            return Verdict(
                False,
                f"Rejected: nDCG@10 of {own:.4f} for {purpose} does not beat popularity's {popular:.4f}; {stays}.",
            )
        beats.append(
            f"{own:.4f} for {purpose} {'beats' if own > popular else 'equals, nearly,'} popularity's {popular:.4f}"
        )
    if not purposes:
        return judge_unseen(
            f"fewer than {MINIMUM_CUSTOMERS} customers could be judged", champion_id=champion_id, refresh=refresh
        )
    better = "its nDCG@10 of " + " and of ".join(beats)
    if champion_id is None:
        return Verdict(True, f"First model: {better}, and there is no champion to compare with.")
    if refresh:
        nothing = dict.fromkeys(purposes, Interval(0.0, 0.0, 0.0))
        return Verdict(True, f"Refresh: same recipe as champion {champion_id}, fresher data; {better}.", nothing)
    if champion is None:
        raise ValueError(f"champion {champion_id} has another recipe, but no figures to compare with")
    differences = {
        purpose: bootstrap_interval(challenger[purpose][SERVED] - champion[purpose][SERVED], draws, seed)
        for purpose in purposes
    }
    told = " and ".join(
        f"by {found.mean:+.4f} for {purpose} (interval {found.low:+.4f} to {found.high:+.4f})"
        for purpose, found in differences.items()
    )
    compared = f"nDCG@10 differs from champion {champion_id} {told}, tolerance {tolerance:g}"
    worse = any(found.high < 0 for found in differences.values()) and not any(
        found.mean >= 0 for found in differences.values()
    )
    if not worse and all(found.low > -tolerance for found in differences.values()):
        return Verdict(True, f"Promoted: {compared}; {better}.", differences)
    return Verdict(False, f"Rejected: {compared}; champion {champion_id} stays.", differences)


def judge_empty(why: str, *, champion_id: str | None) -> Verdict:
    """The gate where there was nothing to learn from, which ``why`` says: such a model could list nothing."""
    stays = f"champion {champion_id} stays" if champion_id else "no model is in force and lists fall back to popularity"
    return Verdict(False, f"Rejected: {why}; {stays}.")


def judge_unseen(why: str, *, champion_id: str | None, refresh: bool) -> Verdict:
    """The gate where history is too short to split, which ``why`` says: nothing was measured, so nothing is claimed."""
    if champion_id is None:
        return Verdict(True, f"First model, not judged: {why}.")
    if refresh:
        return Verdict(True, f"Refresh, not judged: same recipe as champion {champion_id}, fresher data; {why}.")
    return Verdict(False, f"Rejected: no evidence against champion {champion_id}, which stays; {why}.")

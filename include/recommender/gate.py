"""Whether tonight's model may serve: pure decision over per-customer nDCG@10 of the same customers."""

from __future__ import annotations

from dataclasses import dataclass

from include.recommender.metrics import FloatArray, Interval, bootstrap_interval


@dataclass(frozen=True)
class Verdict:
    """promoted, and the sentence that says why or why not."""

    promoted: bool
    reason: str
    difference: Interval | None = None


def judge(
    challenger: FloatArray,
    popularity: FloatArray,
    champion: FloatArray | None,
    *,
    champion_id: str | None,
    same_parameters: bool,
    tolerance: float,
    draws: int,
    seed: list[int],
) -> Verdict:
    """The gate: better than popularity, and not worse than the champion beyond ``tolerance``.

    The difference to the champion is the paired bootstrap's over customers; its lower bound must lie above
    -tolerance. champion: None when there is none, or when it has the challenger's parameters: refitted on the same
    history it is then the same model, and the difference is exactly 0. Raises ValueError when a champion with other
    parameters comes without its figures.
    """
    own, popular = challenger.mean(), popularity.mean()
    beats = f"its nDCG@10 of {own:.4f} beats popularity's {popular:.4f}"
    if own <= popular:
        stays = f"champion {champion_id} stays" if champion_id else "no model is in force and lists fall back"
        return Verdict(False, f"Rejected: nDCG@10 of {own:.4f} does not beat popularity's {popular:.4f}; {stays}.")
    if champion_id is None:
        return Verdict(True, f"First model: {beats}, and there is no champion to compare with.")
    if same_parameters:
        return Verdict(
            True,
            f"Refresh: same parameters as champion {champion_id}, fresher data; {beats}.",
            Interval(0.0, 0.0, 0.0),
        )
    if champion is None:
        raise ValueError(f"champion {champion_id} has other parameters, but no figures to compare with")
    difference = bootstrap_interval(challenger - champion, draws, seed)
    compared = (
        f"nDCG@10 differs from champion {champion_id} by {difference.mean:+.4f} "
        f"(interval {difference.low:+.4f} to {difference.high:+.4f}, tolerance {tolerance:g})"
    )
    if difference.low > -tolerance:
        return Verdict(True, f"Promoted: {compared}; {beats}.", difference)
    return Verdict(False, f"Rejected: {compared}; champion {champion_id} stays.", difference)


def judge_empty(why: str, *, champion_id: str | None) -> Verdict:
    """The gate where there was nothing to learn from, which ``why`` says: such a model could list nothing."""
    stays = f"champion {champion_id} stays" if champion_id else "no model is in force and lists fall back to popularity"
    return Verdict(False, f"Rejected: {why}; {stays}.")


def judge_unseen(why: str, *, champion_id: str | None, same_parameters: bool) -> Verdict:
    """The gate where history is too short to split, which ``why`` says: nothing was measured, so nothing is claimed."""
    if champion_id is None:
        return Verdict(True, f"First model, not judged: {why}.")
    if same_parameters:
        return Verdict(True, f"Refresh, not judged: same parameters as champion {champion_id}, fresher data; {why}.")
    return Verdict(False, f"Rejected: no evidence against champion {champion_id}, which stays; {why}.")

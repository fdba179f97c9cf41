"""Which recipe serves tonight: the champion's, or a challenger's that has shown itself no worse."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from include.recommender import artifact, gate
from include.recommender.artifact import ArtifactError, RecommenderModel
from include.recommender.judging import Judged, Night, entry_without_artifact, judge, unjudged, verdict_of
from include.recommender.recipe import Recipe
from include.recommender.registry import Entry, Proposal, RegisteredModel
from include.recommender.vocabulary import PLAIN, SETTINGS, TUNING

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Challenger:
    """origin: who asks for the recipe, SETTINGS or TUNING."""

    recipe: Recipe
    origin: str


@dataclass(frozen=True)
class Contest:
    """Who competes tonight.

    champion: the model in force. incumbent: its recipe, None where there is none that this version can fit; then there
    is a challenger. configured: the settings' recipe.
    """

    champion: RegisteredModel | None
    incumbent: Recipe | None
    challenger: Challenger | None
    configured: dict[str, Any]

    @classmethod
    def between(cls, configured: Recipe, champion: RegisteredModel | None, proposal: Proposal | None) -> Self:
        """A changed setting comes before what was proposed; plain lists give way to whoever may be promoted."""
        incumbent = _readable(champion.model_id, champion.parameters["recipe"]) if champion else None
        asked_for = _readable(proposal.model_id, proposal.recipe) if proposal else None
        proposed = Challenger(asked_for, TUNING) if asked_for else None
        if champion is None or incumbent is None or champion.parameters["origin"] == PLAIN:
            challenger: Challenger | None = proposed or Challenger(configured, SETTINGS)
        elif champion.parameters["configured"] != configured.as_json() and configured != incumbent:
            challenger = Challenger(configured, SETTINGS)
        else:
            challenger = proposed
        return cls(champion, incumbent, challenger, configured.as_json())

    @property
    def champion_id(self) -> str | None:
        return self.champion.model_id if self.champion else None

    @property
    def origin(self) -> str:
        """Who asked for the champion's recipe."""
        return self.champion.parameters["origin"] if self.champion else SETTINGS

    @property
    def is_plain(self) -> bool:
        return self.champion is not None and self.origin == PLAIN


@dataclass(frozen=True)
class Decision:
    """serves: what is to be fitted on all data, None where the champion stays as it is, of an earlier night.

    configured: the settings' recipe as far as it has been judged, by which a later change is known.
    """

    rejected: list[Entry]
    serves: Judged | None
    verdict: gate.Verdict
    origin: str
    former: RecommenderModel | None
    configured: dict[str, Any]


def decide(night: Night, contest: Contest) -> Decision:
    """Judge whoever competes, and say who serves.

    A challenger that is not promoted is rejected, and the incumbent's recipe judged on tonight's data all the same.
    """
    if not (night.shop.history.weight > 0).any():
        return _empty(night, contest)
    former = _load(contest.champion)
    incumbent = None if contest.incumbent is None else judge(night, contest.incumbent, former)
    rejected: list[Entry] = []
    if contest.challenger is not None:
        judged, origin = judge(night, contest.challenger.recipe, None), contest.challenger.origin
        verdict = verdict_of(night, judged, incumbent, contest.champion_id)
        if verdict.promoted:
            return Decision(rejected, judged, verdict, origin, former, contest.configured)
        rejected.append(entry_without_artifact(night, judged, verdict, origin))
        if incumbent is None or contest.is_plain:
            return _refused(night, contest, rejected, verdict)
    if incumbent is None:
        raise AssertionError("a contest without an incumbent has a challenger")
    verdict = verdict_of(night, incumbent, None, contest.champion_id, refresh=True)
    if not verdict.promoted:
        rejected.append(entry_without_artifact(night, incumbent, verdict, contest.origin))
    serves = incumbent if verdict.promoted else None
    return Decision(rejected, serves, verdict, contest.origin, former, _judged_settings(night, contest))


def _judged_settings(night: Night, contest: Contest) -> dict[str, Any]:
    """The settings' recipe, but the former one where it was refused without evidence: then it is tried again."""
    by_settings = contest.challenger is not None and contest.challenger.origin == SETTINGS
    if by_settings and not night.splits and contest.champion is not None:
        return contest.champion.parameters.get("configured", {})
    return contest.configured


def _empty(night: Night, contest: Contest) -> Decision:
    why = (
        f"nothing to learn from, since up to {night.business_date} no customer has done anything with an item that "
        "counts"
    )
    verdict = gate.judge_empty(why, champion_id=contest.champion_id)
    recipe, origin = contest.incumbent or Recipe.plain(), contest.origin
    if contest.challenger is not None:
        recipe, origin = contest.challenger.recipe, contest.challenger.origin
    refused = entry_without_artifact(night, unjudged(night, recipe), verdict, origin)
    return _refused(night, contest, [refused], verdict)


def _refused(night: Night, contest: Contest, rejected: list[Entry], verdict: gate.Verdict) -> Decision:
    """The decision where nothing may serve that was judged: the champion stays, or the plain lists serve, anew."""
    if contest.champion is not None and not contest.is_plain:
        return Decision(rejected, None, verdict, contest.origin, None, contest.configured)
    reason = f"Own history, favourites and popularity serve, without a ranker. {verdict.reason}"
    plain = unjudged(night, Recipe.plain())
    return Decision(rejected, plain, gate.Verdict(True, reason), PLAIN, None, contest.configured)


def _readable(model_id: str, recipe: Mapping[str, Any]) -> Recipe | None:
    """None for what another version of this code knew how to fit, and this one does not."""
    try:
        return Recipe.of_json(recipe)
    except ValueError as error:
        logger.error("the recipe of %s cannot be fitted: %s", model_id, error)
        return None


def _load(champion: RegisteredModel | None) -> RecommenderModel | None:
    """The champion's model, to start from; training goes on without it where its artifact cannot be read."""
    if champion is None:
        return None
    try:
        return artifact.load(champion.artifact_uri, champion.artifact_sha256)
    except ArtifactError as error:
        logger.error("%s; tonight learns everything anew", error)
        return None

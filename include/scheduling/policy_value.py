"""What the choice of channel and hour is worth beside simpler ways, from the log of decisions alone.

Sends of the last ``WINDOW_DAYS`` nights decided by the policy that is in force are valued as they were sent
(``as_logged``) and as three others would have sent them: at a random hour, at each customer's modal click hour, and at
the shop's best hour, the last two by what was known at each decision. A small control of sends at random hours, where
there is one, tells the first by direct experiment: all sends of the nights that have both kinds are compared as they
were assigned, with no regard to their probabilities. First messages alone are valued: the channel of a campaign's
second one is what the first left, which is another choice than the one compared. Methods: ``off_policy``,
``target_policies``, ``reward_model``.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert

from include.db.tables import policy_values
from include.scheduling.off_policy import (
    MINIMUM_EFFECTIVE_CUSTOMERS,
    MINIMUM_EFFECTIVE_SENDS,
    MOST_LEFT_OUT,
    Estimator,
    Experiment,
    Floats,
    Interval,
    LeftOut,
    PolicyTotals,
    PolicyValue,
    Problem,
    usable,
)
from include.scheduling.policy_log import LogPart, PolicyLog, read_parts, stage_log
from include.scheduling.target_policies import best_hour, modal_scores, random_hour, rate_scores
from include.settings import Settings

logger = logging.getLogger(__name__)

AS_LOGGED = "as_logged"
RANDOM = "random_hour"
MODAL = "modal_hour"
GLOBAL = "global_hour"
EXPERIMENT = "experiment"
CLICK = "click"
NAMES = {RANDOM: "random hours", MODAL: "everyone's modal hour", GLOBAL: "the shop's best hour"}


@dataclass(frozen=True)
class PolicyValueSummary:
    """What ``evaluate_policies`` found."""

    business_date: str
    policy_version: str | None
    """None: no decision has matured."""
    sends: int
    """Valued."""
    left_out: dict[str, int]
    """Chosen sends by the reason why they cannot be valued."""
    random_sends: int
    """Of the control."""
    verdicts: dict[str, str]
    """By policy and estimator, "modal_hour dr" say."""


@dataclass(frozen=True)
class _Gathered:
    totals: dict[str, PolicyTotals]
    """By policy."""
    experiment: Experiment
    left_out: LeftOut
    includes_generated: bool


def evaluate_policies(engine: Engine, settings: Settings, *, business_date: date) -> PolicyValueSummary:
    """Replace the date's rows of ``policy_values``: clicks per send of each policy, as known by the end of the date.

    Reward is a human click within 24 hours after sending; only sends older than that count. ``difference`` is what was
    sent as logged less the row's policy, so above zero where the choice gains. Intervals at
    ``settings.reporting.confidence`` with the customer as the unit; a row without figures says why in ``verdict``.
    """
    started = time.perf_counter()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        log = stage_log(connection, settings, business_date)
        gathered = _gather(connection, log, settings)
        rows = _rows(gathered, settings.reporting.confidence)
        connection.execute(delete(policy_values).where(policy_values.c.business_date == business_date))
        connection.execute(insert(policy_values), [row | {"business_date": business_date} for row in rows])
    sends, left_out = gathered.totals[RANDOM].sends, gathered.left_out
    logger.info(
        "Valued %s sends of policy %s, %s left out (%s)%s, beside %s of the control, in %.1f s",
        sends,
        log.policy_version,
        left_out.total,
        _left_out_words(left_out) or "none",
        "".join(f", too many for {one}" for one, most in MOST_LEFT_OUT.items() if left_out.share_of(sends) > most),
        gathered.experiment.sends,
        time.perf_counter() - started,
    )
    return PolicyValueSummary(
        business_date=business_date.isoformat(),
        policy_version=log.policy_version,
        sends=sends,
        left_out={
            "moved": left_out.moved,
            "unsound": left_out.unsound,
            "below_floor": left_out.below_floor,
        },
        random_sends=gathered.experiment.sends,
        verdicts={f"{row['policy']} {row['estimator']}": row["verdict"] for row in rows},
    )


def _gather(connection: Connection, log: PolicyLog, settings: Settings) -> _Gathered:
    totals: dict[str, list[PolicyTotals]] = {name: [] for name in NAMES}
    experiments, left_out, includes_generated = [], LeftOut(), False
    for part in read_parts(connection, log):
        includes_generated |= bool(part.includes_generated.any())
        beside = part.of(np.isin(part.decided, log.nights_with_control))
        experiments.append(Experiment.of(beside.sends.customer, beside.is_random, beside.sends.reward))
        chosen = part.of(~part.is_random)
        sound, unsound = usable(chosen.sends, settings.scheduling.exploration)
        left_out += unsound
        chosen = chosen.of(sound)
        rewards = log.rates[chosen.fold, chosen.day_type]
        for name, target in _targets(chosen, log).items():
            totals[name].append(PolicyTotals.of(chosen.sends, target, rewards))
    return _Gathered(
        totals={name: PolicyTotals.joined(parts) for name, parts in totals.items()},
        experiment=Experiment.joined(experiments),
        left_out=left_out,
        includes_generated=includes_generated,
    )


def _targets(part: LogPart, log: PolicyLog) -> dict[str, Floats]:
    """(sends, actions) by policy."""
    feasible, probabilities = part.sends.feasible, part.sends.probabilities
    return {
        RANDOM: random_hour(feasible, probabilities),
        MODAL: best_hour(modal_scores(part.own_clicks, log.clicks[part.decided]), feasible, probabilities),
        GLOBAL: best_hour(rate_scores(log.clicks, log.sends)[part.decided], feasible, probabilities),
    }


def _rows(gathered: _Gathered, confidence: float) -> list[dict[str, Any]]:
    """Of ``policy_values``, without the date."""
    rows = []
    common = {"metric": CLICK, "includes_generated": gathered.includes_generated}
    counts = {"sends": gathered.totals[RANDOM].sends, "left_out": gathered.left_out.total}
    for estimator in Estimator:
        logged = gathered.totals[RANDOM].logged_value(estimator, confidence)
        verdict = "What was sent, as it was sent." if logged.value else _not_enough(logged.problem)
        if gathered.left_out.total:
            verdict += f" Left out: {_left_out_words(gathered.left_out)}."
        rows.append(_row(logged, verdict) | counts | common | {"policy": AS_LOGGED, "estimator": estimator.value})
        for name, of_policy in gathered.totals.items():
            value = of_policy.value(estimator, confidence, gathered.left_out)
            verdict = _verdict(name, value, of_policy.share_outside, _too_many(estimator, gathered))
            rows.append(_row(value, verdict) | counts | common | {"policy": name, "estimator": estimator.value})
    found = gathered.experiment.value(confidence)
    rows.append(
        _row(found, _verdict(RANDOM, found))
        | common
        | {"policy": RANDOM, "estimator": EXPERIMENT, "sends": gathered.experiment.sends, "left_out": 0}
    )
    return rows


def _row(found: PolicyValue, verdict: str) -> dict[str, Any]:
    value, low, high = _limits(found.value)
    difference, difference_low, difference_high = _limits(found.gain)
    return {
        "effective_sample_size": found.effective_sample_size,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "difference": difference,
        "difference_low": difference_low,
        "difference_high": difference_high,
        "verdict": verdict,
    }


def _limits(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (interval.value, interval.low, interval.high) if interval else (None, None, None)


def _too_many(estimator: Estimator, gathered: _Gathered) -> str:
    share = gathered.left_out.share_of(gathered.totals[RANDOM].sends)
    return f"{share:.1%} of the sends are left out (this estimator stands {MOST_LEFT_OUT[estimator]:.0%} at most)"


def _left_out_words(left_out: LeftOut) -> str:
    reasons = {
        "not sent as drawn": left_out.moved,
        "without sound probabilities": left_out.unsound,
        "with one below the floor of today's exploration": left_out.below_floor,
    }
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)


def _verdict(name: str, found: PolicyValue, share_outside: float = 0.0, too_many: str = "") -> str:
    if found.gain is None:
        return _not_enough(found.problem, share_outside, too_many)
    if found.gain.low > 0:
        return f"A gain over {NAMES[name]}."
    if found.gain.high < 0:
        return f"A loss against {NAMES[name]}."
    return f"No difference to {NAMES[name]} is shown."


def _not_enough(problem: Problem | None, share_outside: float = 0.0, too_many: str = "") -> str:
    reasons = {
        Problem.NO_SENDS: "no send with a known probability has matured",
        Problem.NO_SUPPORT: f"{share_outside:.1%} of what this policy does could not happen in the log",
        Problem.EFFECTIVE_SAMPLE_TOO_SMALL: "too few sends went as this policy would have sent them "
        f"(worth {MINIMUM_EFFECTIVE_SENDS:.0f} are needed)",
        Problem.TOO_FEW_CUSTOMERS: "the clicks of a few customers decide it "
        f"(of {MINIMUM_EFFECTIVE_CUSTOMERS:.0f} at least they must be)",
        Problem.TOO_MANY_LEFT_OUT: too_many,
    }
    return f"Not enough data: {reasons[problem or Problem.NO_SENDS]}."

"""``make science ROOM=deciding``: 1,000 made-up nights decided on, and what no decision may ever do, counted plainly.

Caps to the second and by calendar day and week, quiet hours, consent, capacities, warm-up and budgets, in Berlin, New
York, Lord Howe, Kiritimati and Apia, on days when clocks change or a date is left out; each night decided again after
delivery, on the same data and on changed data. Then whether the probabilities logged are those that messages were drawn
with, while capacities bind, over many salts.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from include.scheduling.decide import decide
from include.scheduling.draws import WHOLE
from include.settings import SchedulingSettings
from tests.science.nights import Case, faults, made_campaign, made_night, taken_up

NIGHTS = 1_000
SALTS = 200
CUSTOMERS = 1_000
LEAST_LIKELY = 0.001
MOST_BIAS = 0.05
"""Among messages that no repair moved. It is not 0, since the hours that overflow lose messages: about 2.5% where 7%
are repaired."""


def main() -> int:
    """1 when something is wrong."""
    broken = _nights()
    log = _probabilities()
    wrong_likely, wrong_bias = log.wrong
    print(f"{NIGHTS:,} nights, each decided three times: {sum(broken.values())} faults {dict(broken) or ''}")
    print(
        f"probabilities over {SALTS} salts, capacity binding: p = {log.likely:.3f} (must be above {LEAST_LIKELY}; "
        f"with a wrong log {wrong_likely:.1g}); {log.repaired:.1%} repaired; among the others a choice comes "
        f"{log.bias:.2%} more or less often than logged, on average, beyond chance (at most {MOST_BIAS:.0%}; with a "
        f"wrong log {wrong_bias:.0%})"
    )
    is_right = log.likely > LEAST_LIKELY and log.bias <= MOST_BIAS
    would_be_seen = wrong_likely <= LEAST_LIKELY and wrong_bias > MOST_BIAS
    return int(bool(broken) or not is_right or not would_be_seen)


def _nights() -> Counter[str]:
    broken: Counter[str] = Counter()
    for seed in range(NIGHTS):
        found = _faults_of(seed)
        broken.update(found)
        for fault in found:
            print(f"night {seed}: {fault}", file=sys.stderr)
    return broken


def _faults_of(seed: int) -> list[str]:
    case = Case.of(seed)
    outcome = decide(case.night, case.scheduling)
    found = list(faults(case.night, case.scheduling, outcome))
    taken = taken_up(case.night, outcome, seed, 0.5)
    again = decide(taken, case.scheduling)
    found += faults(taken, case.scheduling, again)
    if not np.array_equal(again.decision, outcome.decision):
        found.append("a rerun that decides otherwise")
    changed = taken_up(case.night, decide(case.night, case.scheduling.model_copy(update={"seed": 8})), seed, 0.5)
    return found + faults(changed, case.scheduling, decide(changed, case.scheduling))


@dataclass(frozen=True)
class Log:
    """likely: p-value. bias: how much more or less often than logged a choice comes among messages not repaired, on
    average, beyond chance. repaired: share of the messages. wrong: p-value and bias of a log with the probabilities of
    the hour before.
    """

    likely: float
    bias: float
    repaired: float
    wrong: tuple[float, float]


def _probabilities() -> Log:
    room = {"hourly_capacity": CUSTOMERS // 40}
    scheduling = SchedulingSettings(channels={"email": room, "app_push": room})
    campaigns = [made_campaign(number) for number in range(2)]
    night = made_night(1, scheduling, campaigns=campaigns, customers=CUSTOMERS, zones=["Europe/Berlin"])
    expected, variance, drawn, left, left_variance, stayed = np.zeros((6, 48))
    moved = going = 0
    for seed in range(SALTS):
        messages = decide(night, scheduling.model_copy(update={"seed": seed})).messages
        share = messages.probabilities / WHOLE
        expected += share.sum(axis=0)
        variance += (share * (1 - share)).sum(axis=0)
        drawn += np.bincount(messages.drawn, minlength=48)
        stays = ~messages.is_repaired
        left += share[stays].sum(axis=0)
        left_variance += (share * (1 - share))[stays].sum(axis=0)
        stayed += np.bincount(messages.drawn[stays], minlength=48)
        moved, going = moved + int((~stays).sum()), going + len(messages)
    some = variance > 1
    return Log(
        likely=_likely(drawn[some], expected[some], variance[some]),
        bias=_bias(stayed, left, left_variance),
        repaired=moved / going,
        wrong=(
            _likely(drawn[some], np.roll(expected, 1)[some], variance[some]),
            _bias(stayed, np.roll(left, 1), left_variance),
        ),
    )


def _bias(came: np.ndarray, logged: np.ndarray, variance: np.ndarray) -> float:
    """Σ |came − logged|/Σ logged, less its mean where chance alone makes them differ: √(2/π) deviations each."""
    by_chance = np.sqrt(2 / np.pi * variance).sum()
    return float((np.abs(came - logged).sum() - by_chance) / logged.sum())


def _likely(drawn: np.ndarray, expected: np.ndarray, variance: np.ndarray) -> float:
    """How likely a difference at least as large is, by χ² with a degree for each choice."""
    chi = ((drawn - expected) ** 2 / variance).sum()
    return float(norm.sf((chi - len(drawn)) / np.sqrt(2 * len(drawn))))

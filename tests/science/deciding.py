"""``make science ROOM=deciding``: 1,000 made-up nights decided on, and what no decision may ever do, counted plainly.

Caps to the second and by calendar day and week, quiet hours, consent, capacities, warm-up and budgets, in Berlin, New
York, Lord Howe, Kiritimati and Apia, on days when clocks change or a date is left out; each night decided again after
delivery, on the same data and on changed data. Then whether the probabilities logged are those that messages were drawn
with, while capacities bind, over many salts.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm

from include.scheduling.decide import decide
from include.scheduling.draws import WHOLE
from include.settings import SchedulingSettings
from tests.science.nights import Case, faults, made_campaign, made_night, taken_up

NIGHTS = 1_000
SALTS = 200
CUSTOMERS = 1_000
LEAST_LIKELY = 0.001


def main() -> int:
    """1 when something is wrong."""
    broken = _nights()
    likely, wrong, repaired, bias = _probabilities()
    print(f"{NIGHTS:,} nights, each decided three times: {sum(broken.values())} faults {dict(broken) or ''}")
    print(
        f"probabilities over {SALTS} salts, capacity binding: p = {likely:.3f} (must be above {LEAST_LIKELY}; "
        f"with a wrong log {wrong:.1g}); {repaired:.1%} repaired; among the others a choice comes {bias:.2%} more or "
        "less often than logged, on average"
    )
    return int(bool(broken) or likely <= LEAST_LIKELY or wrong > LEAST_LIKELY)


def _nights() -> Counter[str]:
    broken: Counter[str] = Counter()

    @hypothesis_settings(max_examples=NIGHTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**48))
    def check(seed: int) -> None:
        case = Case.of(seed)
        outcome = decide(case.night, case.scheduling)
        broken.update(faults(case.night, case.scheduling, outcome))
        taken = taken_up(case.night, outcome, seed, 0.5)
        again = decide(taken, case.scheduling)
        broken.update(faults(taken, case.scheduling, again))
        if not np.array_equal(again.decision, outcome.decision):
            broken["a rerun that decides otherwise"] += 1
        changed = taken_up(case.night, decide(case.night, case.scheduling.model_copy(update={"seed": 8})), seed, 0.5)
        broken.update(faults(changed, case.scheduling, decide(changed, case.scheduling)))

    check()
    return broken


def _probabilities() -> tuple[float, float, float, float]:
    """p-values of the log and of a wrong one; share repaired; and how far those not repaired are from their log."""
    room = {"hourly_capacity": CUSTOMERS // 40}
    scheduling = SchedulingSettings(channels={"email": room, "app_push": room})
    campaigns = [made_campaign(number) for number in range(2)]
    night = made_night(1, scheduling, campaigns=campaigns, customers=CUSTOMERS, zones=["Europe/Berlin"])
    expected, variance, drawn, left, stayed = np.zeros((5, 48))
    moved = going = 0
    for seed in range(SALTS):
        messages = decide(night, scheduling.model_copy(update={"seed": seed})).messages
        share = messages.probabilities / WHOLE
        expected += share.sum(axis=0)
        variance += (share * (1 - share)).sum(axis=0)
        drawn += np.bincount(messages.drawn, minlength=48)
        stays = ~messages.is_repaired
        left += share[stays].sum(axis=0)
        stayed += np.bincount(messages.drawn[stays], minlength=48)
        moved, going = moved + int((~stays).sum()), going + len(messages)
    some = variance > 1
    return (
        _likely(drawn[some], expected[some], variance[some]),
        _likely(drawn[some], np.roll(expected, 1)[some], variance[some]),
        moved / going,
        float(np.abs(stayed - left).sum() / left.sum()),
    )


def _likely(drawn: np.ndarray, expected: np.ndarray, variance: np.ndarray) -> float:
    """How likely a difference at least as large is, by χ² with a degree for each choice."""
    chi = ((drawn - expected) ** 2 / variance).sum()
    return float(norm.sf((chi - len(drawn)) / np.sqrt(2 * len(drawn))))

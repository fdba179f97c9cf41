"""What may be said of a comparison: a gain, a loss, nothing shown, or that data are too few and by how much.

Two arms are judged in this order: are they the arms that were configured; are there enough customers and buyers for the
normal approximation; does the interval leave out zero; and if not, was the test large enough to have seen a difference
that matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from include.reporting.statistics import Comparison, Mean, customers_needed, sample_ratio_p_value
from include.settings import ReportingSettings

GAIN = "gain"
LOSS = "loss"
NO_DIFFERENCE = "no difference shown"
SAMPLE_RATIO_MISMATCH = "sample ratio mismatch: no verdict"
NOT_ENOUGH_DATA = "not enough data"
NO_COST = "no cost recorded: ROI is undefined"

SAMPLE_RATIO_ALPHA = 0.001
RELEVANT_DIFFERENCE = 0.1
"""A test that could not have seen a change of this share of the control's mean is too small to say "no difference"."""


@dataclass(frozen=True)
class Arms:
    """Who was assigned to the two arms of one comparison, and how many of them bought."""

    treated_n: int
    control_n: int
    treated_buyers: int
    control_buyers: int
    control_share: float | None
    """Configured share of the control among both arms; None: unknown, as with a former tool's sends."""

    @property
    def sample_ratio_p_value(self) -> float | None:
        if self.control_share is None:
            return None
        return sample_ratio_p_value((self.treated_n, self.control_n), (1 - self.control_share, self.control_share))


def lift_verdict(arms: Arms, treated: Mean, control: Mean, comparison: Comparison, settings: ReportingSettings) -> str:
    """The verdict on one metric; treated, control and comparison are of the same figures, per customer."""
    p_value = arms.sample_ratio_p_value
    if p_value is not None and p_value < SAMPLE_RATIO_ALPHA:
        return SAMPLE_RATIO_MISMATCH
    if arms.control_n == 0 and not arms.control_share:
        return f"{NOT_ENOUGH_DATA}: there is no control group to compare with"
    if arms.treated_buyers + arms.control_buyers == 0:
        return f"{NOT_ENOUGH_DATA}: no orders since the assignment yet"
    assigned = arms.treated_n + arms.control_n
    needed = _customers_for_minimums(arms, settings)
    if needed > assigned:
        return _more_customers(needed - assigned)
    if comparison.low is None or comparison.high is None:
        return NO_DIFFERENCE
    if comparison.low > 0:
        return GAIN
    if comparison.high < 0:
        return LOSS
    for_power = customers_needed(treated, control, RELEVANT_DIFFERENCE * control.mean, settings.confidence)
    if for_power is not None and for_power > assigned:
        return _more_customers(for_power - assigned)
    return NO_DIFFERENCE


def roi_verdict(margin_verdict: str, cost: float, low: float | None, high: float | None) -> str:
    """Whether a campaign earned more than it cost; what blocks the verdict on its margin blocks this one too.

    No difference shown in margin can still be a loss here: the whole interval below the cost.
    """
    if cost == 0:
        return NO_COST
    if low is None or high is None or margin_verdict not in (GAIN, LOSS, NO_DIFFERENCE):
        return margin_verdict
    if low > 0:
        return GAIN
    return LOSS if high < 0 else NO_DIFFERENCE


def _customers_for_minimums(arms: Arms, settings: ReportingSettings) -> int:
    """Customers over both arms, at their split, that bring each arm to the minimum of customers and of buyers."""
    assigned = arms.treated_n + arms.control_n
    enough_customers = min(arms.treated_n, arms.control_n) >= settings.minimum_customers_per_arm
    enough_buyers = min(arms.treated_buyers, arms.control_buyers) >= settings.minimum_conversions_per_arm
    if enough_customers and enough_buyers:
        return assigned
    control_share = arms.control_n / assigned if arms.control_share is None else arms.control_share
    smaller_share = min(control_share, 1 - control_share) or 1 / assigned
    buying_rate = (arms.treated_buyers + arms.control_buyers) / assigned
    per_arm = max(
        0 if enough_customers else settings.minimum_customers_per_arm,
        0 if enough_buyers else settings.minimum_conversions_per_arm / buying_rate,
    )
    return max(math.ceil(per_arm / smaller_share), assigned + 1)


def _more_customers(count: int) -> str:
    """Rounded up to two figures: it is an estimate."""
    unit = 10 ** max(len(str(count)) - 2, 0)
    return f"{NOT_ENOUGH_DATA}: about {math.ceil(count / unit) * unit:,} more customers needed"

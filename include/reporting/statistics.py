"""The mathematics of the reports: sums in, estimates with intervals out. No database, no settings.

The unit of analysis is the customer. Statistics are frozen sums that add, so that SQL aggregates and Python never needs
the rows. Input that allows no answer gives a result with a ``problem`` and None in place of figures, never NaN.

An interval here holds for one look. Whoever reads a test every morning and stops at the first gain is wrong more often
than the confidence says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from scipy import special

MINIMUM_EXPECTED_COUNT = 5
"""Below this expected count the χ² approximation says nothing."""


class Problem(StrEnum):
    """Why there is no figure."""

    NOT_FINITE = "not_finite"
    TOO_FEW_CUSTOMERS = "too_few_customers"
    ZERO_DENOMINATOR = "zero_denominator"
    ZERO_VARIANCE = "zero_variance"


class Statistic(Protocol):
    """What two arms are compared by."""

    @property
    def n(self) -> int: ...
    @property
    def problem(self) -> Problem | None: ...
    @property
    def mean(self) -> float: ...
    @property
    def variance(self) -> float: ...


@dataclass(frozen=True)
class Mean:
    """Mean of one figure per customer: ``sum`` and ``sum_squares`` over ``n`` customers."""

    n: int
    sum: float
    sum_squares: float

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.n + other.n, self.sum + other.sum, self.sum_squares + other.sum_squares)

    @property
    def problem(self) -> Problem | None:
        if not (math.isfinite(self.sum) and math.isfinite(self.sum_squares)):
            return Problem.NOT_FINITE
        return Problem.TOO_FEW_CUSTOMERS if self.n < 2 else None

    @property
    def mean(self) -> float:
        return self.sum / self.n

    @property
    def variance(self) -> float:
        """Sample variance of one customer's figure (n − 1)."""
        return max(_variance(self.n, self.sum, self.sum_squares), 0.0)  # rounding can leave −1e-17


@dataclass(frozen=True)
class Ratio:
    """Ratio of two sums over the same ``n`` customers, such as clicks ÷ sends: sums, squares and cross product."""

    n: int
    numerator_sum: float
    numerator_sum_squares: float
    denominator_sum: float
    denominator_sum_squares: float
    cross_sum: float

    def __add__(self, other: Ratio) -> Ratio:
        return Ratio(
            self.n + other.n,
            self.numerator_sum + other.numerator_sum,
            self.numerator_sum_squares + other.numerator_sum_squares,
            self.denominator_sum + other.denominator_sum,
            self.denominator_sum_squares + other.denominator_sum_squares,
            self.cross_sum + other.cross_sum,
        )

    @property
    def problem(self) -> Problem | None:
        figures = (
            self.numerator_sum,
            self.numerator_sum_squares,
            self.denominator_sum,
            self.denominator_sum_squares,
            self.cross_sum,
        )
        if not all(map(math.isfinite, figures)):
            return Problem.NOT_FINITE
        if self.denominator_sum == 0:
            return Problem.ZERO_DENOMINATOR
        return Problem.TOO_FEW_CUSTOMERS if self.n < 2 else None

    @property
    def mean(self) -> float:
        return self.numerator_sum / self.denominator_sum

    @property
    def variance(self) -> float:
        """Variance of the ratio times n, by the delta method.

        V(M)/D² + V(D)·M²/D⁴ − 2·Cov(M, D)·M/D³, with M and D the means per customer. Source: Deng, Knoblich and Lu
        2018, "Applying the Delta Method in Metric Analytics".
        """
        m, d = self.numerator_sum / self.n, self.denominator_sum / self.n
        covariance = (self.cross_sum - self.numerator_sum * d) / (self.n - 1)
        variance = (
            _variance(self.n, self.numerator_sum, self.numerator_sum_squares) / d**2
            + _variance(self.n, self.denominator_sum, self.denominator_sum_squares) * m**2 / d**4
            - 2 * covariance * m / d**3
        )
        return max(variance, 0.0)


@dataclass(frozen=True)
class Interval:
    """An estimate between its limits, or the problem."""

    value: float | None
    low: float | None
    high: float | None
    problem: Problem | None = None


@dataclass(frozen=True)
class Comparison:
    """Treated minus control with its interval, standard error and two-sided p-value, or the problem."""

    difference: float | None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    p_value: float | None = None
    problem: Problem | None = None


def compare(treated: Statistic, control: Statistic, confidence: float) -> Comparison:
    """Difference in means by Welch's t-test (unequal variances, Satterthwaite's degrees of freedom).

    confidence: 0.95 for a 95% interval. The interval contains 0 exactly when the p-value is above 1 − confidence.
    """
    problem = treated.problem or control.problem
    if problem:
        return Comparison(None, problem=problem)
    difference = treated.mean - control.mean
    treated_part, control_part = treated.variance / treated.n, control.variance / control.n
    squared_error = treated_part + control_part
    if squared_error == 0:
        return Comparison(difference, problem=Problem.ZERO_VARIANCE)
    freedom = squared_error**2 / (treated_part**2 / (treated.n - 1) + control_part**2 / (control.n - 1))
    error = math.sqrt(squared_error)
    half_width = float(special.stdtrit(freedom, (1 + confidence) / 2)) * error
    p_value = 2 * float(special.stdtr(freedom, -abs(difference) / error))
    return Comparison(difference, difference - half_width, difference + half_width, error, p_value)


def wilson_interval(rate: float, trials: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a rate seen in ``trials`` (> 0) independent trials; within [0, 1] also at 0 and 1."""
    z = _normal_quantile((1 + confidence) / 2)
    centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half_width = z / (1 + z**2 / trials) * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)


def rate_interval(ratio: Ratio, confidence: float) -> Interval:
    """A rate such as clicks ÷ sends with an interval that knows one customer's sends are alike.

    The delta method gives the rate's variance with the customer as the unit; the trials it is worth,
    rate·(1 − rate)/variance, at most all of them, enter Wilson's interval. With one send per customer this is Wilson's
    own interval; with none or all clicked, where the delta method sees no variance, each customer is one trial.
    Source: Dean and Pagano 2015, "Evaluating Confidence Interval Methods for Binomial Proportions in Clustered
    Surveys".
    """
    if ratio.problem and ratio.problem is not Problem.TOO_FEW_CUSTOMERS:
        return Interval(None, None, None, ratio.problem)
    rate, trials = ratio.mean, ratio.denominator_sum
    if ratio.problem or rate in (0, 1):
        effective: float = ratio.n
    else:
        variance = ratio.variance / ratio.n
        independent = rate * (1 - rate) * ratio.n / (ratio.n - 1)
        effective = trials if variance * trials <= independent else independent / variance
    return Interval(rate, *wilson_interval(rate, effective, confidence))


def sample_ratio_p_value(counts: Sequence[int], shares: Sequence[float]) -> float | None:
    """χ² p-value that customers were assigned in the configured ``shares`` (positive, any scale).

    None where the test says nothing: a share of zero, or fewer than five customers expected in an arm.
    """
    total, total_share = sum(counts), sum(shares)
    if total_share <= 0:
        return None
    expected = [total * share / total_share for share in shares]
    if min(expected) < MINIMUM_EXPECTED_COUNT:
        return None
    statistic = sum((count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=True))
    return float(special.chdtrc(len(counts) - 1, statistic))


def customers_needed(
    treated: Statistic, control: Statistic, difference: float, confidence: float, power: float = 0.8
) -> int | None:
    """Customers over both arms, at the present split and variance, that show ``difference`` with this power.

    n = (z₁₋α⸝₂ + z_power)² · (V_t/share_t + V_c/share_c) / difference². None when an arm has fewer than two customers
    or the difference is zero.
    """
    if treated.problem or control.problem or difference == 0:
        return None
    n = treated.n + control.n
    spread = treated.variance * n / treated.n + control.variance * n / control.n
    z = _normal_quantile((1 + confidence) / 2) + _normal_quantile(power)
    return math.ceil(z**2 * spread / difference**2)


def _variance(n: int, total: float, total_squares: float) -> float:
    return (total_squares - total**2 / n) / (n - 1)


def _normal_quantile(probability: float) -> float:
    return float(special.ndtri(probability))

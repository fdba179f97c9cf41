"""What another policy would have earned, from the log of the one in force. Arrays in, results out.

A log has, for each send x, the probabilities μ(a | x) of all actions, the action drawn from them and its reward r; the
target policy is told as π(a | x) for the same sends. With w = π/μ of the drawn action, over all n sends:

    IPS    Σ w·r / n                                  Horvitz & Thompson 1952
    SNIPS  Σ w·r / Σ w                                Swaminathan & Joachims 2015
    DR     Σ (Σ_a π(a)·q(a) + w·(r − q(drawn))) / n   Dudík, Langford & Li 2011; Dudík, Erhan, Langford & Li 2014

q is a model of the reward that must not have seen the rewards it is judged beside (``reward_model`` learns it of other
customers: cross-fitting). Each estimate is a ratio of two sums over customers, so its standard error is that of the
delta method with the customer as the unit: √(C/(C − 1) · Σ_c (A_c − V·B_c)²)/B for V = A/B over C customers. Two
policies are valued on the same sends: the error of their difference is that of the differences of the customers' terms.
Rewards are rare and weights uneven, so the sums are skewed: limits are those of Hall's transformation of t, which takes
the skewness out (Hall 1992).

Where the log cannot tell, the result is a ``Problem`` without figures, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

CONFIDENCE = 0.95
MINIMUM_EFFECTIVE_SENDS = 200.0
"""Below this effective sample size (Σ w)²/Σ w² a few sends decide everything."""
MINIMUM_EFFECTIVE_CUSTOMERS = 10.0
"""(Σ u²)²/Σ u⁴ of what each customer adds to the error: fewer, and the error itself is a matter of chance."""
TOLERANCE = 1.5e-6
"""Of probabilities that should sum to 1, be equal, or reach the floor: a log may keep millionths, rounded down."""


class Estimator(StrEnum):
    IPS = "ips"
    SNIPS = "snips"
    DR = "dr"


MOST_LEFT_OUT = {Estimator.IPS: 0.02, Estimator.SNIPS: 0.05, Estimator.DR: 0.02}
"""Share of the sends beyond which an estimate is too biased to be told: which are left out hangs on what was drawn, so
weights are no longer 1 on average, which SNIPS alone makes up for, and full hours are seen less often than drawn."""


class Problem(StrEnum):
    """Why there is no figure."""

    NO_SENDS = "no_sends"
    NO_SUPPORT = "no_support"
    """The target does what the log never could."""
    EFFECTIVE_SAMPLE_TOO_SMALL = "effective_sample_too_small"
    TOO_FEW_CUSTOMERS = "too_few_customers"
    """A few customers' rewards decide the value or its error."""
    TOO_MANY_LEFT_OUT = "too_many_left_out"


@dataclass(frozen=True)
class LoggedSends:
    """customer: (sends,), numbers from 0. feasible, probabilities: (sends, actions), what could be done and μ.

    action: (sends,), what was done. propensity: (sends,), its probability as it was logged; NaN where it is not what
    was drawn. reward: (sends,).
    """

    customer: Codes
    feasible: Mask
    probabilities: Floats
    action: Codes
    propensity: Floats
    reward: Floats

    def __len__(self) -> int:
        return len(self.customer)

    def of(self, sends: NDArray[np.bool_] | Codes) -> Self:
        return type(self)(*(getattr(self, each.name)[sends] for each in fields(self)))


@dataclass(frozen=True)
class LeftOut:
    """Sends that off-policy evaluation cannot use."""

    moved: int = 0
    """Not sent as drawn, since a repair or a late delivery overrode the draw: the action has no probability."""
    unsound: int = 0
    """Probabilities that do not sum to 1, or not that of the drawn action."""
    below_floor: int = 0
    """A feasible action has less probability than the policy claims to give to each."""

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def total(self) -> int:
        return self.moved + self.unsound + self.below_floor

    def share_of(self, used: int) -> float:
        """Of all sends, where ``used`` are not left out."""
        return self.total / (self.total + used) if self.total else 0.0


NOTHING_LEFT_OUT = LeftOut()


def usable(sends: LoggedSends, exploration: float) -> tuple[Mask, LeftOut]:
    """Which sends can be evaluated, and how many cannot for which reason.

    exploration: ε of a log that claims every feasible action at least ε/|A|; 0 claims nothing. Whether the floor holds
    is asked of all feasible actions, not of the drawn one alone: to leave out by what was drawn would bias the rest.
    """
    rows = np.arange(len(sends))
    moved = np.isnan(sends.propensity)
    told = np.where(sends.feasible, sends.probabilities, 0.0)
    sound = (
        (np.abs(told.sum(axis=1) - 1) <= TOLERANCE)
        & (told >= 0).all(axis=1)
        & sends.feasible[rows, sends.action]
        & (np.abs(told[rows, sends.action] - np.nan_to_num(sends.propensity)) <= TOLERANCE)
    )
    least = np.where(sends.feasible, sends.probabilities, np.inf).min(axis=1, initial=np.inf)
    floored = least >= exploration / np.maximum(sends.feasible.sum(axis=1), 1) - TOLERANCE
    left_out = LeftOut(int(moved.sum()), int((~moved & ~sound).sum()), int((~moved & sound & ~floored).sum()))
    return ~moved & sound & floored, left_out


@dataclass(frozen=True)
class Interval:
    """A value between its limits, and its standard error."""

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class CustomerTotals:
    """figures: (figures, customers), sums over each customer's sends; from them ratios of sums over all customers."""

    figures: Floats

    @classmethod
    def of(cls, customer: Codes, figures: Floats) -> Self:
        """customer: (sends,), numbers from 0. figures: (figures, sends)."""
        met = np.flatnonzero(np.bincount(customer))
        return cls(np.stack([np.bincount(customer, figure)[met].astype(np.float64) for figure in figures]))

    @classmethod
    def joined(cls, parts: Sequence[CustomerTotals], figures: int) -> Self:
        """Of disjoint groups of customers."""
        return cls(np.concatenate([np.zeros((figures, 0)), *(part.figures for part in parts)], axis=1))

    @property
    def customers(self) -> int:
        return self.figures.shape[1]

    def total(self, figure: int) -> float:
        return float(self.figures[figure].sum())

    def ratio(self, over: int, under: int) -> Estimate:
        ratio = self.total(over) / self.total(under)
        return Estimate(ratio, (self.figures[over] - ratio * self.figures[under]) / self.total(under))


@dataclass(frozen=True)
class Estimate:
    """terms: (customers,), what each customer adds to the value's error (linearised); they sum to 0."""

    value: float
    terms: Floats

    def __sub__(self, other: Estimate) -> Estimate:
        """Of the same customers."""
        return Estimate(self.value - other.value, self.terms - other.terms)

    @property
    def effective_customers(self) -> float:
        """(Σ u²)²/Σ u⁴: so many customers of equal terms would make the variance as uncertain as it is."""
        squares = self.terms**2
        return float(squares.sum() ** 2 / (squares @ squares)) if squares.any() else 0.0

    def interval(self, confidence: float) -> Interval:
        """By g(T) = T + γ·T²/3 + γ²·T³/27 + γ/6, nearly normal, inverted; γ is the skewness of Σ u (Hall 1992)."""
        customers, squares = len(self.terms), float(self.terms @ self.terms)
        error = float(np.sqrt(squares * customers / (customers - 1)))
        skewness = float((self.terms**3).sum()) / squares**1.5 if squares else 0.0
        z = float(special.ndtri((1 + confidence) / 2))
        low, high = (self.value - _of_skewed(quantile, skewness) * error for quantile in (z, -z))
        return Interval(self.value, low, high, error)


@dataclass(frozen=True)
class PolicyValue:
    """Mean reward per send of a policy, and what the logged one is worth more (gain); or the problem."""

    effective_sample_size: float
    value: Interval | None = None
    gain: Interval | None = None
    problem: Problem | None = None


SENDS, REWARD, WEIGHT, WEIGHTED_REWARD, DOUBLY_ROBUST, LOGGED_DOUBLY_ROBUST = range(6)
"""Figures of a customer; every estimator is one of them over another."""
TARGET_RATIO = {
    Estimator.IPS: (WEIGHTED_REWARD, SENDS),
    Estimator.SNIPS: (WEIGHTED_REWARD, WEIGHT),
    Estimator.DR: (DOUBLY_ROBUST, SENDS),
}
LOGGED_RATIO = {
    Estimator.IPS: (REWARD, SENDS),
    Estimator.SNIPS: (REWARD, SENDS),
    Estimator.DR: (LOGGED_DOUBLY_ROBUST, SENDS),
}
"""The same of the policy that was logged, whose w is 1."""


@dataclass(frozen=True)
class PolicyTotals:
    """What the estimators need of some customers' sends, for one target."""

    totals: CustomerTotals
    squared_weights: float
    outside: float
    """Σ of the target's probability of actions that the log could not take."""

    @classmethod
    def of(cls, sends: LoggedSends, target: Floats, rewards: Floats) -> Self:
        """target: (sends, actions), π; rows sum to 1. rewards: (sends, actions), q, learned without these rewards."""
        rows, drawn = np.arange(len(sends)), sends.action
        weight = target[rows, drawn] / sends.probabilities[rows, drawn]
        surprise = sends.reward - rewards[rows, drawn]
        figures = np.empty((6, len(sends)))
        figures[SENDS] = 1
        figures[REWARD] = sends.reward
        figures[WEIGHT] = weight
        figures[WEIGHTED_REWARD] = weight * sends.reward
        figures[DOUBLY_ROBUST] = _expected(target, rewards) + weight * surprise
        figures[LOGGED_DOUBLY_ROBUST] = _expected(sends.probabilities, rewards) + surprise
        return cls(
            CustomerTotals.of(sends.customer, figures),
            squared_weights=float(weight @ weight),
            outside=float(_expected(target, sends.probabilities <= 0).sum()),
        )

    @classmethod
    def joined(cls, parts: Sequence[PolicyTotals]) -> Self:
        """Of disjoint groups of customers."""
        return cls(
            CustomerTotals.joined([part.totals for part in parts], 6),
            squared_weights=sum(part.squared_weights for part in parts),
            outside=sum(part.outside for part in parts),
        )

    @property
    def sends(self) -> int:
        return int(self.totals.total(SENDS))

    @property
    def effective_sample_size(self) -> float:
        """(Σ w)²/Σ w²: so many sends drawn by the target itself would tell as much (Kish 1965; Kong 1992)."""
        return self.totals.total(WEIGHT) ** 2 / self.squared_weights if self.squared_weights else 0.0

    @property
    def share_outside(self) -> float:
        """Of the target's probability, what lies on actions that the log could not take."""
        return self.outside / self.sends if self.sends else 0.0

    def value(
        self, estimator: Estimator, confidence: float = CONFIDENCE, left_out: LeftOut = NOTHING_LEFT_OUT
    ) -> PolicyValue:
        """Of the target. left_out: beside the sends that these are totals of."""
        problem = self._problem()
        if not problem and left_out.share_of(self.sends) > MOST_LEFT_OUT[estimator]:
            problem = Problem.TOO_MANY_LEFT_OUT
        if problem:
            return PolicyValue(self.effective_sample_size, problem=problem)
        target, logged = self.totals.ratio(*TARGET_RATIO[estimator]), self.totals.ratio(*LOGGED_RATIO[estimator])
        # A model of rewards spreads DR's error over all sends, and would hide how few rewards there were.
        rewards = self.totals.ratio(*TARGET_RATIO[Estimator.IPS])
        return told(self.effective_sample_size, confidence, target, logged - target, rests_on=rewards)

    def logged_value(self, estimator: Estimator, confidence: float = CONFIDENCE) -> PolicyValue:
        """Of the policy that was logged: for IPS and SNIPS its mean reward, with w = 1 for every send."""
        if self.totals.customers < 2:
            return PolicyValue(float(self.sends), problem=Problem.NO_SENDS)
        value, rewards = self.totals.ratio(*LOGGED_RATIO[estimator]), self.totals.ratio(REWARD, SENDS)
        return told(float(self.sends), confidence, value, rests_on=rewards)

    def _problem(self) -> Problem | None:
        if self.totals.customers < 2:
            return Problem.NO_SENDS
        if self.share_outside > TOLERANCE:
            return Problem.NO_SUPPORT
        return Problem.EFFECTIVE_SAMPLE_TOO_SMALL if self.effective_sample_size < MINIMUM_EFFECTIVE_SENDS else None


def told(
    effective: float,
    confidence: float,
    value: Estimate,
    gain: Estimate | None = None,
    *,
    rests_on: Estimate | None = None,
) -> PolicyValue:
    """With their intervals, unless so few customers decide one of them that its error is not known."""
    fewest = min(estimate.effective_customers for estimate in (value, rests_on) if estimate is not None)
    # No customer at all decides a gain where both policies do the same.
    if gain is not None and gain.terms.any():
        fewest = min(fewest, gain.effective_customers)
    if fewest < MINIMUM_EFFECTIVE_CUSTOMERS:
        return PolicyValue(effective, problem=Problem.TOO_FEW_CUSTOMERS)
    return PolicyValue(
        effective, value=value.interval(confidence), gain=gain.interval(confidence) if gain is not None else None
    )


def _of_skewed(quantile: float, skewness: float) -> float:
    """g⁻¹."""
    if abs(skewness) < 1e-6:
        return quantile
    return float(np.cbrt(1 + skewness * (quantile - skewness / 6)) - 1) * 3 / skewness


def _expected(probabilities: Floats, figures: NDArray[Any]) -> Floats:
    """(sends,): Σ over actions."""
    return np.einsum("sa,sa->s", probabilities, figures)


CHOSEN_SENDS, CHOSEN_REWARD, RANDOM_SENDS, RANDOM_REWARD = range(4)


@dataclass(frozen=True)
class Experiment:
    """Sends drawn at random for comparison, beside those of the policy, wherever they went then (intent to treat).

    A customer may have sends of both kinds: the ratio's error by the delta method knows of their covariance.
    """

    totals: CustomerTotals

    @classmethod
    def of(cls, customer: Codes, is_random: Mask, reward: Floats) -> Self:
        """All (sends,)."""
        figures = np.stack([~is_random, ~is_random * reward, is_random, is_random * reward]).astype(np.float64)
        return cls(CustomerTotals.of(customer, figures))

    @classmethod
    def joined(cls, parts: Sequence[Experiment]) -> Self:
        """Of disjoint groups of customers."""
        return cls(CustomerTotals.joined([part.totals for part in parts], 4))

    @property
    def sends(self) -> int:
        """At random."""
        return int(self.totals.total(RANDOM_SENDS))

    def value(self, confidence: float = CONFIDENCE) -> PolicyValue:
        """Mean reward of the sends at random, and what those of the policy have more."""
        if min(self.totals.total(CHOSEN_SENDS), self.totals.total(RANDOM_SENDS)) == 0 or self.totals.customers < 2:
            return PolicyValue(float(self.sends), problem=Problem.NO_SENDS)
        at_random = self.totals.ratio(RANDOM_REWARD, RANDOM_SENDS)
        chosen = self.totals.ratio(CHOSEN_REWARD, CHOSEN_SENDS)
        return told(float(self.sends), confidence, at_random, chosen - at_random)

"""What one more message risks: an address lost to an unsubscribe or a complaint, and what that costs. Pure.

``recent`` is always the number of messages, over all channels, sent to the customer in the seven days before; the last
cell stands for so many or more.

The curve P(lost | recent) of a channel never falls. It is learned in two steps. First a line of log odds,

    logit p_r = a + b · (r − r̄),  b ≥ 0

by penalised likelihood (a prior worth PRIOR_SENDS sends at PRIOR_LOST; b half-normal with SLOPE_SPREAD), flat outside
the range of ``recent`` that CELL_SEEN sends were seen at. Then each cell is drawn to the line, (lost + K m)/(sends +
K), and the cells are made monotone by weighted isotonic regression (Barlow et al. 1972), so that with much data a step
is learned as a step. So a channel with hardly an event stays at the prior, and flat.

Who gets many messages is not drawn at random: customers who like them may be sent more, and those whom they annoyed are
gone. Both make the learned curve too flat, never too steep.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit, log_expit, logit
from scipy.stats import beta

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_RECENT = 14
"""The last cell: two messages a day for a week, or more."""
CELLS = MOST_RECENT + 1
PRIOR_UNSUBSCRIBED = 0.0022
PRIOR_COMPLAINED = 0.0002
PRIOR_LOST = PRIOR_UNSUBSCRIBED + PRIOR_COMPLAINED
"""Per message, near those of a large retailer's campaigns: 0.22% and 0.02%."""
PRIOR_SENDS = 2000.0
"""Pseudo-sends behind ``PRIOR_LOST``: five lost addresses' worth."""
CELL_SENDS = 2000.0
"""Pseudo-sends that draw a cell to the line."""
CELL_SEEN = 500.0
"""Sends from which on the line reaches a cell."""
SLOPE_SPREAD = 0.3
"""Of b: beyond a doubling of the odds every two messages, data must speak."""
INTERVAL = 0.9
PRIOR_WEEKLY = 1.0
"""Messages a week to a customer who is written to, before anything was sent."""
PRIOR_CUSTOMERS = 20.0
"""Pseudo-customers behind ``PRIOR_WEEKLY``."""
FACTOR_CLICKS = 100.0
"""Pseudo-clicks, spread over the cells as expected clicks are, that draw ``click_factors`` to 1."""
FACTOR_ITERATIONS = 100


@dataclass(frozen=True)
class Curve:
    """mean, low, high: (cells,), P(lost | recent) and what holds it with probability INTERVAL; none of them falls."""

    mean: Floats
    low: Floats
    high: Floats


def learn_curve(sends: Floats, lost: Floats) -> Curve:
    """sends, lost: (cells,), of one channel, lost ≤ sends; if decayed, by effective sample size."""
    line = _line(sends, lost)
    rate = (lost + CELL_SENDS * line) / (sends + CELL_SENDS)
    pooled = isotonic_regression(rate, weights=sends + CELL_SENDS)
    blocks = np.diff(pooled.blocks)
    seen = np.repeat([part.sum() for part in np.split(sends, pooled.blocks[1:-1])], blocks)
    strength = seen + CELL_SENDS
    tail = (1 - INTERVAL) / 2
    low, high = (beta.ppf(at, pooled.x * strength, (1 - pooled.x) * strength) for at in (tail, 1 - tail))
    # The bounds of a cell hardly seen can lie wider than its neighbour's, and a tiny mean beyond its own.
    low, high = np.minimum(low, pooled.x), np.maximum(high, pooled.x)
    return Curve(pooled.x, np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high))


def _line(sends: Floats, lost: Floats) -> Floats:
    """(cells,): the line of log odds, as probabilities."""
    recent = np.arange(CELLS, dtype=np.float64)
    middle = float(sends @ recent / sends.sum()) if sends.any() else 0.0
    seen = np.flatnonzero(sends >= CELL_SEEN)
    reach = np.clip(recent, seen[0], seen[-1]) - middle if len(seen) else np.zeros(CELLS)

    def fault(line: Floats) -> tuple[float, Floats]:
        odds, prior = line[0] + line[1] * reach, line[0]
        likelihood = lost @ log_expit(odds) + (sends - lost) @ log_expit(-odds)
        likelihood += PRIOR_SENDS * (PRIOR_LOST * log_expit(prior) + (1 - PRIOR_LOST) * log_expit(-prior))
        slack = lost - sends * expit(odds)
        gradient = np.array([slack.sum() + PRIOR_SENDS * (PRIOR_LOST - expit(prior)), slack @ reach])
        likelihood -= line[1] ** 2 / (2 * SLOPE_SPREAD**2)
        gradient[1] -= line[1] / SLOPE_SPREAD**2
        return -float(likelihood), -gradient

    first = np.array([logit((lost.sum() + PRIOR_SENDS * PRIOR_LOST) / (sends.sum() + PRIOR_SENDS)), 0.0])
    found = minimize(fault, first, jac=True, bounds=[(None, None), (0, None)], method="L-BFGS-B")
    return np.asarray(expit(found.x[0] + found.x[1] * reach))


def click_factors(sends: Counts, clicks: Counts) -> Floats:
    """(cells,): how many times as many clicks a message gets at each ``recent`` as at the usual one; never rises.

    sends, clicks: (customers, cells), of customers who clicked at least once (others tell nothing of the factors).
    Each customer is compared with themselves alone: a Poisson model with a level of each customer's own, conditional on
    their clicks (Hausman, Hall & Griliches 1984), fitted by expectation and rescaling. So that eager customers get more
    messages does not look as if messages made them eager. The mean over the sends seen is 1.
    """
    mass = sends.sum(axis=0).astype(np.float64)
    factors = np.ones(CELLS)
    if not clicks.any():
        return factors
    total = clicks.sum(axis=1)
    for _ in range(FACTOR_ITERATIONS):
        # With factors of 1 a cell would be clicked so often by customers whose levels are as the factors say.
        level = total / np.maximum(sends @ factors, 1e-12)
        exposure = level @ sends
        prior = FACTOR_CLICKS * exposure / exposure.sum()
        raw = (clicks.sum(axis=0) + prior) / np.maximum(exposure + prior, 1e-12)
        weights = exposure + prior
        factors = isotonic_regression(raw, weights=np.maximum(weights, 1e-9), increasing=False).x
        # A cell never seen goes on as the one before it.
        unseen = np.flatnonzero(mass == 0)
        for cell in unseen[unseen > 0]:
            factors[cell] = factors[cell - 1]
        factors = factors / float(mass @ factors / mass.sum())
    return np.asarray(factors)


@dataclass(frozen=True)
class ChannelFatigue:
    """What was learned of one channel.

    lost, low, high: (cells,), as ``Curve``. click_factor: (cells,). value_per_message: money, the mean margin credited
    to a message. messages_per_week: to a customer who is written to. unsubscribed, complained, sends: decayed, as seen.
    """

    lost: Floats
    low: Floats
    high: Floats
    click_factor: Floats
    value_per_message: float
    messages_per_week: float
    sends: float
    unsubscribed: float
    complained: float

    def as_json(self) -> dict[str, Any]:
        """Numbers and lists of numbers, exactly."""
        return {each.name: np.asarray(getattr(self, each.name)).tolist() for each in fields(self)}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        values: dict[str, Any] = {
            name: np.array(value) if isinstance(value, list) else value for name, value in told.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class Fatigue:
    """channels: by channel. horizon_days: for how long a lost address is missed."""

    channels: dict[str, ChannelFatigue]
    horizon_days: int

    def probability(self, channel: str, recent: NDArray[np.integer[Any]]) -> Floats:
        """(n,): that one more message loses the address. recent: (n,), see above."""
        return self.channels[channel].lost[np.minimum(recent, MOST_RECENT)]

    def click_factor(self, channel: str, recent: NDArray[np.integer[Any]], more: NDArray[np.integer[Any]]) -> Floats:
        """(n,): of how many of the clicks that a message gets now one gets after ``more`` messages.

        recent, more: (n,). Of now, not of the usual message: a customer's own click rate was learned from messages
        among which there were about as many recent ones as now.
        """
        factors = self.channels[channel].click_factor
        now, then = (factors[np.minimum(count, MOST_RECENT)] for count in (recent, recent + more))
        return np.divide(then, now, out=np.ones(len(now)), where=now > 0)

    def worth(self, channel: str, expected_margin: Floats) -> Floats:
        """(n,) money that an address is worth: min(v · E[messages], expected margin), never below 0.

        expected_margin: (n,), the customer's ``expected_value`` × margin rate; NaN where nothing is expected to be
        known (a customer who never bought): no limit then. v: the mean margin credited to a message of the channel.
        E[messages] = (1 − (1 − p)^M)/p: M = messages_per_week · horizon / 7, ended early with p, the chance of losing
        the address by a message anyway.

        Assumes that a customer's messages would earn what the shop's mean message does, at the pace of now; that credit
        is cause; that an address lost is lost for the horizon, and that what is not sent there is not sent elsewhere.
        All but the pace make a message look dearer than it is, and the limit holds that within what the customer buys.
        """
        known = self.channels[channel]
        ending = float(known.lost[int(min(round(known.messages_per_week), MOST_RECENT))])
        messages = -np.expm1(known.messages_per_week * self.horizon_days / 7 * np.log1p(-ending)) / ending
        return np.asarray(np.maximum(np.fmin(known.value_per_message * messages, expected_margin), 0))

    def cost(self, channel: str, recent: NDArray[np.integer[Any]], worth: Floats) -> Floats:
        """(n,) money: P(lost | recent) · worth. recent: (n,). worth: (n,), as ``worth`` gives it."""
        return np.asarray(self.probability(channel, recent) * worth)


def weekly_messages(messages: float, customers: float, weeks: float) -> float:
    """Messages a week to a customer who was written to, drawn to PRIOR_WEEKLY."""
    return (messages / weeks + PRIOR_CUSTOMERS * PRIOR_WEEKLY) / (customers + PRIOR_CUSTOMERS)

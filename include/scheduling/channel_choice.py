"""Which channel: email, app push or none. Arrays in, arrays out.

A channel's value to a customer is uncertain, above all by how much more or less than others the customer clicks there.
As with hours, a channel is drawn as often as it is likely to be worth most (Thompson 1933), here in closed form, so
that the probability logged is exact; ``policy.with_exploration`` puts the floor beneath it. None: the caller compares
the best value with 0. Both: a second message on the other channel follows the first where it is worth sending as well
(``decide``); its channel is given then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TIE = 1e-9
"""Values nearer to each other than this share of the larger are as good as each other."""


def value_deviation(earned: Floats, log_variance: Floats) -> Floats:
    """Standard deviation (n,), in money, of what a message on one channel is worth.

    earned: (n,), mean of rate · margin × orders per click at the best feasible hour. log_variance: (n,), of the
    customer's level (``HourPosterior.log_variance``), so that a lognormal level has relative deviation
    √(e^variance − 1). Which hour is best, what a click is worth and what a message risks are uncertain as well: that is
    common to many customers, and drawing it anew for each would explore nothing, so the deviation leaves it out.
    """
    return np.abs(earned) * np.sqrt(np.expm1(log_variance))


def channel_shares(mean: Floats, sd: Floats, feasible: Mask, boldness: float) -> Floats:
    """π (n, 2): how often each feasible channel's value is the largest; a row sums to 1, or to 0 if none is.

    mean, sd: (n, 2), of values that are normal and independent of each other; what is not feasible is not read.
    boldness: in [0, 1], scales sd: 1 is Thompson sampling, 0 the best mean. P(V1 > V2) = Φ((m1 − m2)/√(s1² + s2²)).
    Channels alike in both share alike.
    """
    mean = np.where(feasible, mean, 0.0)
    sd = np.where(feasible, boldness * sd, 0.0)
    first = _beats(mean[:, 0] - mean[:, 1], np.hypot(sd[:, 0], sd[:, 1]), _tied(mean[:, 0], mean[:, 1]))
    shares = np.stack([first, 1 - first], axis=1)
    return np.asarray(np.where(feasible.all(axis=1, keepdims=True), shares, feasible), np.float64)


def _tied(one: Floats, other: Floats) -> Mask:
    return np.asarray(np.abs(one - other) <= TIE * np.maximum(np.abs(one), np.abs(other)))


def _beats(lead: Floats, spread: Floats, tied: Mask) -> Floats:
    """Φ(lead / spread), a half where they are tied; certain where nothing is spread."""
    certain = np.heaviside(lead, 0.5)
    with np.errstate(over="ignore"):  # infinitely many deviations ahead is certain
        likely = ndtr(np.divide(lead, spread, out=np.zeros(lead.shape), where=spread > 0))
    return np.where(tied, 0.5, np.where(spread > 0, likely, certain))

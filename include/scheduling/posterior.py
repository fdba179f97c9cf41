"""Click rates by customer and hour, shrunk from the whole shop to the segment to the customer: arrays in, arrays out.

The axes of a count array are (customer, day type, hour): hours 0 to 23 of the customer's own clock, on a circle.
One channel at a time.

The hierarchy, an empirical-Bayes one with conjugate updates throughout:

    g_h = (Y_h + κa·b·w_h) / (N_h + κa)                          the whole shop, b its overall click rate
    s_h = (Y_h + κs·g_h + κa·g_h·t_h) / (N_h + κs + κa)          one segment, Y and N its own
    r   = (y + a) / (Σ_h n_h·s_h + a)                            one customer's level, 1 for a customer never sent to
    m_h = r·s_h                                                  the prior mean of one customer's hour
    rate_h ~ Beta(κ·m_h + (K y)_h, κ·(1 − m_h) + (K (n − y))_h)  with K(Δ) = exp(6·(cos Δ − 1)) around the clock

y are decayed human clicks, n decayed sends, Y and N their sums. w and t come from when customers are active in the
shop: w the shop's curve around its mean, t a segment's curve against the shop's. Both are worth κa pseudo-sends an
hour, so they give a cold start a sensible curve and fade as sends are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]

HOURS = 24
ACTIVITY_SENDS = 20.0
"""κa: pseudo-sends per hour behind the curve of shop activity."""
ACTIVITY_WEIGHT = 0.5
"""How much of that curve is activity; the rest is flat, since buying at an hour is not yet clicking at it."""
PRIOR_RATE = 0.011
"""Click rate of a shop that has sent nothing yet, near that of a large retailer's campaigns (1.1% of sends)."""
PRIOR_SENDS = 200.0
"""Pseudo-sends behind ``PRIOR_RATE``."""
RATE_BOUNDS = (1e-4, 0.95)
"""A prior mean stays inside, so that no posterior degenerates."""
SMOOTHING_CONCENTRATION = 6.0
INTERVAL = 0.9


@dataclass(frozen=True)
class Strengths:
    """Pseudo-sends of each level: κs, a (in pseudo-clicks) and κ."""

    segment: float
    level: float
    customer: float


@dataclass(frozen=True)
class Posterior:
    """Beta(alpha, beta) of the click rate, each of shape (customer, day type, hour)."""

    alpha: Floats
    beta: Floats

    @property
    def mean(self) -> Floats:
        return self.alpha / (self.alpha + self.beta)

    def interval(self, share: float = INTERVAL) -> tuple[Floats, Floats]:
        """Equal-tailed interval that holds ``share`` of the posterior: (low, high)."""
        # Customers without sends share few posteriors, and the quantile is the costly part: compute each once.
        pairs, where = np.unique(np.column_stack([self.alpha.ravel(), self.beta.ravel()]), axis=0, return_inverse=True)
        tail = (1 - share) / 2
        low, high = (np.asarray(betaincinv(pairs[:, 0], pairs[:, 1], q), dtype=np.float64) for q in (tail, 1 - tail))
        return low[where].reshape(self.alpha.shape), high[where].reshape(self.alpha.shape)


def smoothing_kernel(concentration: float = SMOOTHING_CONCENTRATION) -> Floats:
    """(24, 24) circular kernel exp(c·(cos Δ − 1)): 1 at the hour itself, 0.82 an hour away, 0.45 at two."""
    angle = 2 * np.pi * np.arange(HOURS) / HOURS
    return np.asarray(np.exp(concentration * (np.cos(angle[:, None] - angle[None, :]) - 1)))


def activity_curve(active_hours: Floats) -> Floats:
    """Mean of customers' (customer, hour) activity shares as a curve around 1, half flat; 1 everywhere without any.

    Smoothed around the clock: shares are few and hours are neighbours. A row of zeros is a customer without activity.
    """
    total = active_hours.sum(axis=0) @ smoothing_kernel()
    if total.sum() <= 0:
        return np.ones(HOURS)
    return np.asarray(1 - ACTIVITY_WEIGHT + ACTIVITY_WEIGHT * HOURS * total / total.sum())


def shop_curve(sends: Floats, clicks: Floats, activity: Floats) -> Floats:
    """g of shape (day type, hour) from counts of shape (customer, day type, hour) and the shop's curve around 1."""
    overall = (clicks.sum() + PRIOR_SENDS * PRIOR_RATE) / (sends.sum() + PRIOR_SENDS)
    prior = overall * activity
    return np.asarray((clicks.sum(axis=0) + ACTIVITY_SENDS * prior) / (sends.sum(axis=0) + ACTIVITY_SENDS))


def segment_curve(sends: Floats, clicks: Floats, shop: Floats, tilt: Floats, strength: float) -> Floats:
    """s of shape (day type, hour) of one segment's counts; tilt: its activity curve over the shop's."""
    prior = strength * shop + ACTIVITY_SENDS * shop * tilt
    return np.asarray((clicks.sum(axis=0) + prior) / (sends.sum(axis=0) + strength + ACTIVITY_SENDS))


def customer_posterior(sends: Floats, clicks: Floats, segment: Floats, strengths: Strengths) -> Posterior:
    """Posterior of every customer from its own counts and its segment's curve, both (customer, day type, hour)."""
    expected = (sends * segment).sum(axis=(1, 2))
    level = (clicks.sum(axis=(1, 2)) + strengths.level) / (expected + strengths.level)
    prior_mean = np.clip(level[:, None, None] * segment, *RATE_BOUNDS)
    kernel = smoothing_kernel()
    return Posterior(
        alpha=strengths.customer * prior_mean + clicks @ kernel,
        beta=strengths.customer * (1 - prior_mean) + (sends - clicks) @ kernel,
    )


def fit(
    sends: Floats, clicks: Floats, segments: NDArray[np.int64], active_hours: Floats, strengths: Strengths
) -> Posterior:
    """Posterior click rates of one channel.

    sends, clicks: (customer, day type, hour), decayed, 0 ≤ clicks ≤ sends. segments: (customer,) codes from 0.
    active_hours: (customer, hour) shares of shop activity, rows of zeros where there is none.
    """
    activity = activity_curve(active_hours)
    shop = shop_curve(sends, clicks, activity)
    curves = np.empty_like(sends)
    for code in np.unique(segments):
        members = segments == code
        # A segment without activity of its own has the shop's.
        own = active_hours[members]
        tilt = activity_curve(own) / activity if own.any() else np.ones(HOURS)
        curves[members] = segment_curve(sends[members], clicks[members], shop, tilt, strengths.segment)
    return customer_posterior(sends, clicks, curves, strengths)

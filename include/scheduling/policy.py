"""The choice of hour: Thompson sampling with a uniform floor, its probabilities known. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.scheduling.hour_model import CLASSES, HourPosterior

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

POLICY_VERSION = "together-5"
"""Changes with anything that changes the probabilities: logged decisions of two versions are two policies."""
TIE = 1e-9
"""Hours worth as much as the best but for this share of it are as good as the best."""


def winning_shares(posterior: HourPosterior, feasible: Mask, boldness: float, handicap: Floats | None = None) -> Floats:
    """π (customers, hours): how often each feasible hour would win a draw from the posterior; each row sums to 1.

    A draw is a class of curves with the expected level of a customer who belongs to it. There are few of them, so all
    are gone through, each as often as it is likely: no chance is left in π. boldness: 1 is Thompson sampling; below it
    a draw lies so much nearer to the posterior's mean (Chapelle & Li 2011, who reshape the posterior), since plain
    sampling goes on exploring long after a customer's few clicks could pay for it; 0 is the best mean.
    handicap: (customers, hours), how many clicks an hour costs more than others, the price of its slot.
    """
    shares = np.zeros(feasible.shape)
    hours = np.flatnonzero(feasible.any(axis=0))
    if not len(hours):  # of nobody there is no best hour
        return shares
    expected = posterior.mean
    scale = TIE * expected.max(axis=1)
    barred = np.where(feasible, 0.0 if handicap is None else -handicap, -np.inf)
    # Hours first: what is done to one hour of all customers at once is done fast.
    mean = np.ascontiguousarray(((1 - boldness) * expected + barred)[:, hours].T)
    level, weight = (boldness * posterior.level).T.copy(), posterior.share.T.copy()
    drawn, won = np.empty_like(mean), np.zeros_like(mean)
    for number in range(CLASSES):
        np.multiply(posterior.curves[number, hours, None], level[number], out=drawn)
        drawn += mean
        best = drawn >= drawn.max(axis=0) - scale
        np.multiply(best, weight[number] / best.sum(axis=0), out=drawn)
        won += drawn
    shares[:, hours] = won.T
    return shares


def with_exploration(shares: Floats, feasible: Mask, exploration: float) -> Floats:
    """p = (1 − ε)·π + ε/|A| (customers, hours): no hour has less than ε/|A|, which off-policy evaluation needs."""
    return (1 - exploration) * shares + exploration * feasible / feasible.sum(axis=1, keepdims=True)

"""The choice of hour: Thompson sampling with a uniform floor, its probabilities known. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.scheduling.hour_model import CLASSES, HourPosterior

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

POLICY_VERSION = "thompson-classes-2"
"""Changes with anything that changes the probabilities: logged decisions of two versions are two policies."""
TIE = 1e-9
"""Hours worth as much as the best but for this share of it are as good as the best."""


def winning_shares(posterior: HourPosterior, feasible: Mask, boldness: float) -> Floats:
    """π (customers, hours): how often each feasible hour would win a draw from the posterior; each row sums to 1.

    A draw is a class of curves with the expected level of a customer who belongs to it. There are few of them, so all
    are gone through, each as often as it is likely: no chance is left in π. boldness: 1 is Thompson sampling; below it
    a draw lies so much nearer to the posterior's mean (Chapelle & Li 2011, who reshape the posterior), since plain
    sampling goes on exploring long after a customer's few clicks could pay for it; 0 is the best mean.
    """
    mean = np.where(feasible, posterior.mean, -np.inf)
    shares = np.zeros(feasible.shape)
    for number in range(CLASSES):
        drawn = boldness * posterior.level[:, number, None] * posterior.curves[number]
        drawn += (1 - boldness) * mean if boldness < 1 else np.where(feasible, 0, -np.inf)
        best = drawn >= drawn.max(axis=1, keepdims=True) * (1 - TIE)
        shares += posterior.share[:, number, None] * (best / best.sum(axis=1, keepdims=True))
    return shares


def with_exploration(shares: Floats, feasible: Mask, exploration: float) -> Floats:
    """p = (1 − ε)·π + ε/|A| (customers, hours): no hour has less than ε/|A|, which off-policy evaluation needs."""
    return (1 - exploration) * shares + exploration * feasible / feasible.sum(axis=1, keepdims=True)


def draw(probabilities: Floats, uniform: Floats) -> NDArray[np.int64]:
    """(customers,): the hour that ``uniform`` in [0, 1) falls on when hours are laid end to end by probability.

    probabilities: (customers, hours). An hour without probability is never drawn, whatever rounding does to the sums.
    """
    ends = np.cumsum(probabilities, axis=1)
    return (ends > uniform[:, None] * ends[:, -1:]).argmax(axis=1)

"""Click rates by channel, day type and hour, for each send learned from other customers alone. Arrays in, arrays out.

It is DR's model of the reward. Rates are low and clicks rare, so nearly all of the noise is the clicks' own: a model of
each customer's level would narrow the intervals by no more than the rate itself, a few percent, and is not made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.scheduling.hour_model import PRIOR_RATE, PRIOR_SENDS

Floats = NDArray[np.float64]

FOLDS = 5
CELL_SENDS = 100.0
"""Pseudo-sends at the mean rate behind each cell."""


def cross_fitted_rates(sends: Floats, clicks: Floats) -> Floats:
    """(folds, …): for each fold of customers the smoothed click rate by cell of all other folds' sends.

    sends, clicks: (folds, …), counts by cell; each customer is in one fold (Chernozhukov et al. 2018).
    """
    other_sends, other_clicks = (told.sum(axis=0, keepdims=True) - told for told in (sends, clicks))
    cells = tuple(range(1, sends.ndim))
    mean = (other_clicks.sum(axis=cells, keepdims=True) + PRIOR_RATE * PRIOR_SENDS) / (
        other_sends.sum(axis=cells, keepdims=True) + PRIOR_SENDS
    )
    return (other_clicks + mean * CELL_SENDS) / (other_sends + CELL_SENDS)

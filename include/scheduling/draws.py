"""The joint choice of channel and hour, by chance whose probabilities are known exactly. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.scheduling.night import Floats

Millionths = NDArray[np.uint32]

WHOLE = 1_000_000


def joint_shares(channel: Floats, hour: Floats) -> Floats:
    """π (rows, choices): a channel's share times the hour's within it. channel: (rows, channels); hour: with hours."""
    joint = channel[:, :, None] * hour
    return joint.reshape(len(channel), hour.shape[1] * hour.shape[2])


def in_millionths(probabilities: Floats) -> Millionths:
    """(rows, choices) that sum to a million, so that what is logged in six digits is what was drawn from, exactly.

    Rounded down, and what is left goes to the likeliest choice.
    """
    rounded = (probabilities * WHOLE + 1e-6).astype(np.uint32)
    rounded[np.arange(len(rounded)), rounded.argmax(axis=1)] += np.uint32(WHOLE) - rounded.sum(axis=1, dtype=np.uint32)
    return rounded


def draw(probabilities: Millionths, uniform: Floats) -> NDArray[np.int64]:
    """(rows,): the choice that ``uniform`` in [0, 1) falls on when choices are laid end to end by probability."""
    ends = np.cumsum(probabilities, axis=1, dtype=np.uint32)
    return np.asarray((ends > (uniform * WHOLE).astype(np.uint32)[:, None]).argmax(axis=1))

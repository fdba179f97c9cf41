"""The choice of hour: Thompson sampling with a uniform floor, its probabilities known. Arrays in, arrays out."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POLICY_VERSION = "thompson-hour-1"
"""Changes with anything that changes the probabilities: logged decisions of two versions are two policies."""


def winning_shares(alpha: Floats, beta: Floats, draws: int, generator: np.random.Generator) -> Floats:
    """π: the share of ``draws`` from independent Beta(alpha, beta) that each slot wins; both of shape (slots,)."""
    rates = generator.beta(alpha, beta, size=(draws, len(alpha)))
    return np.bincount(rates.argmax(axis=1), minlength=len(alpha)) / draws


def with_exploration(shares: Floats, exploration: float) -> Floats:
    """p = (1 − ε)·π + ε/|A|: no feasible slot has less than ε/|A|, which off-policy evaluation needs."""
    return (1 - exploration) * shares + exploration / len(shares)


def draw(probabilities: Floats, uniform: float) -> int:
    """The slot that ``uniform`` in [0, 1) falls on when slots are laid end to end by their probability."""
    position = int(np.searchsorted(np.cumsum(probabilities), uniform, side="right"))
    return min(position, len(probabilities) - 1)  # the sum may fall short of 1 by rounding


class SlotChooser:
    """Probabilities of the slots of many customers on one date.

    The draws are seeded by seed, date and the posterior itself. So a customer's probabilities depend on nobody else's,
    a rerun repeats them, and customers who share a posterior (all the cold ones of a segment) share one computation.
    """

    def __init__(self, seed: str, draws: int, exploration: float) -> None:
        self.seed = seed
        self.draws = draws
        self.exploration = exploration
        self._known: dict[bytes, Floats] = {}

    def probabilities(self, alpha: Floats, beta: Floats) -> Floats:
        """p of shape (slots,) from the slots' Beta parameters of the same shape; sums to 1."""
        key = hashlib.sha256(self.seed.encode() + b":" + alpha.tobytes() + beta.tobytes()).digest()
        if key not in self._known:
            generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "big")))
            shares = winning_shares(alpha, beta, self.draws, generator)
            self._known[key] = with_exploration(shares, self.exploration)
        return self._known[key]

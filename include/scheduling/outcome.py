"""What was decided of a night: a code for every campaign × customer, and arrays of the messages that go."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from include.db.tables import DECISIONS
from include.scheduling.draws import Millionths
from include.scheduling.night import Floats, Mask, Numbers
from include.scheduling.values import CHOICES

UNDECIDED = 255
CODE = {decision: number for number, decision in enumerate(DECISIONS)}
NO_GHOST = -1
CHOSEN, RANDOM_HOUR = range(2)
"""How a message's channel and hour were drawn; of POLICIES."""


class Sentences:
    """Reasons by number: few are distinct."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, sentence: str) -> int:
        if sentence not in self._numbers:
            self._numbers[sentence] = len(self.texts)
            self.texts.append(sentence)
        return self._numbers[sentence]


@dataclass(frozen=True)
class Messages:
    """Messages that go, each array (messages,) but ``probabilities``: (messages, choices), 0 where not feasible.

    campaign, customer: numbers; choice: where it goes, drawn: where chance put it. how: CHOSEN or RANDOM_HOUR.
    is_second: beside the first of the same campaign, on the other channel. is_repaired: moved from where chance put it.
    best: whether the drawn choice is the one of the highest value net of prices. value = unclicked · rate (of clicks) ·
    orders_per_click · margin − cost − fatigue, in money; unclicked: how likely the first is not clicked, 1 of a first;
    price: of the slot.
    """

    campaign: Numbers
    customer: Numbers
    choice: Numbers
    drawn: Numbers
    how: NDArray[np.uint8]
    is_second: Mask
    is_repaired: Mask
    best: Mask
    probabilities: Millionths
    value: Floats
    unclicked: Floats
    rate: Floats
    orders_per_click: Floats
    margin: Floats
    cost: Floats
    fatigue: Floats
    price: Floats

    def __len__(self) -> int:
        return len(self.campaign)

    def of(self, rows: NDArray[Any] | slice) -> Self:
        return type(self)(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    @classmethod
    def none(cls) -> Self:
        types: dict[str, Any] = dict.fromkeys(("campaign", "customer", "choice", "drawn"), np.int64)
        types |= {"how": np.uint8, "is_second": np.bool_, "is_repaired": np.bool_, "best": np.bool_}
        empty: dict[str, Any] = {each.name: np.zeros(0, types.get(each.name, np.float64)) for each in fields(cls)}
        return cls(**empty | {"probabilities": np.zeros((0, CHOICES), np.uint32)})

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        if not parts:
            return cls.none()
        return cls(**{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)})


@dataclass(frozen=True)
class Outcome:
    """Arrays (campaigns, customers): decision, of DECISIONS; sentence, of ``sentences`` (-1 for messages that go); arm,
    of ARMS; ghost: 1 or 0, NO_GHOST for the treated; is_kept: the row and its message stay as they are.

    messages: by campaign, then customer, the first before the second. gap: share of the value of the best admission
    that who was admitted may miss.
    """

    decision: NDArray[np.uint8]
    sentence: NDArray[np.int32]
    sentences: list[str]
    arm: NDArray[np.int8]
    ghost: NDArray[np.int8]
    is_kept: Mask
    messages: Messages
    gap: float = 0.0

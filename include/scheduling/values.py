"""What a message is worth on each channel at each hour, in money. Arrays in, arrays out.

    value = P(click | customer, channel, hour) · orders per click · mean margin of its items − cost − fatigue

P(click …) is lower, and fatigue higher, for one more message of the same night (``Night.weary``). A campaign's second
message, on the other channel, earns nothing of whoever clicks the first:

    value = (1 − P(click on the first)) · P(click …) · orders per click · mean margin of its items − cost − fatigue

A choice is a channel and an hour of the customer's clock: channel · 24 + hour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from include.scheduling.night import Floats, Mask, Night, Numbers
from include.scheduling.slots import HOURS
from include.settings import CHANNELS

CHOICES = len(CHANNELS) * HOURS
LEAST_WORTH = 1e-9
"""Money per click: of items without a price it still is the better message that is clicked more."""
AT_ONCE = 16_384


@dataclass(frozen=True)
class Terms:
    """Of messages of one campaign to some customers. per_click, fatigue: (rows, channels), money. cost: money.

    per_click: of a click of whoever has had no message of the night yet.
    """

    per_click: Floats
    fatigue: Floats
    cost: float


def terms(night: Night, campaign: int, customers: Numbers) -> Terms:
    margin = night.margin[campaign, customers].astype(np.float64)
    per_click = np.maximum(margin[:, None] * night.orders_per_click[campaign], LEAST_WORTH)
    per_click *= night.click_factor[:, customers].T
    return Terms(
        per_click, night.fatigue[:, customers].T.astype(np.float64), night.campaigns[campaign].cost_per_message
    )


def values(night: Night, campaign: int, customers: Numbers, feasible: Mask) -> Floats:
    """(rows, choices), -inf where not feasible. feasible: (rows, channels, hours)."""
    told = terms(night, campaign, customers)
    rate = night.beliefs.rate[:, customers].swapaxes(0, 1).astype(np.float64)
    worth = rate * told.per_click[:, :, None] - (told.fatigue[:, :, None] + told.cost)
    return np.where(feasible, worth, -np.inf).reshape(len(customers), CHOICES)


def after_first(night: Night, campaign: Numbers, customer: Numbers, unclicked: Floats) -> Night:
    """``night`` with the margins that first messages leave to second ones.

    campaign, customer, unclicked: (messages,), the last how likely the first is not clicked. Without credit: to learn,
    the first is enough.
    """
    margin = night.margin.copy()
    margin[campaign, customer] *= unclicked
    return replace(night, margin=margin, credit=np.zeros(len(night.campaigns)))


def best_values(
    night: Night, campaign: int, customers: Numbers, feasible: Mask, price: NDArray[np.float64] | None
) -> tuple[Floats, Floats]:
    """(rows,) twice: value at the best choice, and at the best one net of the price of choices (zones, choices).

    Both with the campaign's credit.
    """
    gross, net = np.empty(len(customers)), np.empty(len(customers))
    for start in range(0, len(customers), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        some = values(night, campaign, customers[rows], feasible[rows])
        gross[rows] = some.max(axis=1)
        if price is not None:
            some -= price[night.people.zone[customers[rows]]]
        net[rows] = some.max(axis=1)
    return gross + night.credit[campaign], net + night.credit[campaign]

"""All that the decisions of one business date rest on, as arrays over its customers and campaigns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from include.scheduling.audience import Audience
from include.scheduling.campaigns import Campaign
from include.scheduling.caps import Sent
from include.scheduling.hour_model import HourPosterior
from include.scheduling.people import People
from include.scheduling.slots import Hours

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class KnownRates(Protocol):
    """As ``send_times.Beliefs``: click rates at the hours of the send date."""

    @property
    def rate(self) -> NDArray[np.float32]: ...

    @property
    def log_variance(self) -> NDArray[np.float32]: ...

    def posterior(self, channel: int, customers: Numbers) -> HourPosterior: ...


@dataclass(frozen=True)
class Kept:
    """Messages of this night that delivery has taken up, and the other ones of their decisions; a rerun keeps them.

    campaign: (messages,) numbers, below 0 of those no longer in force; customer, channel: numbers; send_at: instants.
    """

    campaign: Numbers
    customer: Numbers
    channel: NDArray[np.int8]
    send_at: Numbers

    def __len__(self) -> int:
        return len(self.campaign)

    @property
    def decisions(self) -> int:
        return len(np.unique(np.stack([self.campaign, self.customer]), axis=1).T)


@dataclass(frozen=True)
class Night:
    """Customers are those of ``people``, by number; a campaign is a number of ``campaigns``, the first first.

    audiences: by campaign. holdout_id: the term that is_held_out is of.
    margin: (campaigns, customers), mean margin of the items of a message (the one that calls for it and the first of
    the list), money; NaN: there is nothing to say.
    orders_per_click: (campaigns, channels).
    fatigue, click_factor: (channels, customers), what one message more risks, money, and the share of its clicks that
    it keeps; before any message of this night, with factors of 1.
    weary: both, (channels, rows), of customers (rows,) after so many messages (rows,) of this night.
    credit: (campaigns,), money added where it is asked whether to send at all: 0 once there are clicks enough to say
    what one brings. Before, a message is not held back by a cost that is known and a gain that is only assumed: nothing
    sent would mean nothing learned.
    sent: of earlier nights. shares: of everyone in [0, 1) by salt, (customers,), or of those asked for.
    """

    business_date: date
    send_date: date
    end_of_day: datetime
    campaigns: list[Campaign]
    people: People
    hours: Hours
    beliefs: KnownRates
    audiences: list[Audience]
    holdout_id: str
    is_held_out: Mask
    margin: NDArray[np.float32]
    orders_per_click: Floats
    fatigue: NDArray[np.float32]
    click_factor: NDArray[np.float32]
    weary: Callable[[Numbers, Numbers], tuple[Floats, Floats]]
    credit: Floats
    sent: Sent
    kept: Kept
    shares: Callable[[str, Numbers | None], Floats]

"""Channel and hour of each message of one campaign, drawn from what is known of its customers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.scheduling.channel_choice import channel_shares, value_deviation
from include.scheduling.draws import Millionths, draw, in_millionths, joint_shares
from include.scheduling.night import Floats, Mask, Night, Numbers
from include.scheduling.outcome import CHOSEN, RANDOM_HOUR, Messages
from include.scheduling.policy import winning_shares, with_exploration
from include.scheduling.slots import HOURS
from include.scheduling.target_policies import random_hour
from include.scheduling.values import CHOICES, terms, values
from include.settings import CHANNELS, SchedulingSettings

AT_ONCE = 2_048
THREADS = 2


class Drawing:
    """Draws with the night's salts, so that a draw depends on the customer, the campaign and the date alone.

    salt: sets draws apart that must owe nothing to each other.
    """

    def __init__(self, night: Night, scheduling: SchedulingSettings, salt: str = "") -> None:
        self.night, self.scheduling, self.salt = night, scheduling, salt

    def messages(self, campaign: int, customers: Numbers, feasible: Mask, price: Floats | None) -> Messages:
        """One message of ``campaign`` to each of ``customers`` (ascending), by chance.

        feasible: (rows, channels, hours), some in every row. price: (zones, choices), of a message.
        """
        uniform = self.shares("draw", campaign, customers)
        at_random = self.shares("random_hour", campaign, customers) < self.scheduling.random_hour_share

        def some(rows: slice) -> Messages:
            return self._messages(campaign, customers[rows], feasible[rows], price, uniform[rows], at_random[rows])

        with ThreadPoolExecutor(THREADS) as threads:
            return Messages.joined(list(threads.map(some, _blocks(len(customers)))))

    def shares(self, what: str, campaign: int, customers: Numbers) -> Floats:
        """(rows,) in [0, 1), even, for one draw of each of ``customers``."""
        named = self.night.campaigns[campaign].campaign_id
        salt = f"{self.salt}{what}:{self.scheduling.seed}:{self.night.send_date}:{named}"
        return self.night.shares(salt, customers)

    def expected(self, campaign: int, customers: Numbers, feasible: Mask, price: Floats) -> Floats:
        """(rows, choices): of the policy and of random hours together, each as often as it is used."""

        def some(rows: slice) -> Floats:
            told = self.probabilities(campaign, customers[rows], feasible[rows], price)
            even = random_hour(feasible[rows].reshape(told.shape), told)
            return told + self.scheduling.random_hour_share * (even - told)

        with ThreadPoolExecutor(THREADS) as threads:
            return np.concatenate([np.zeros((0, CHOICES)), *threads.map(some, _blocks(len(customers)))])

    def probabilities(self, campaign: int, customers: Numbers, feasible: Mask, price: Floats | None) -> Floats:
        """p (rows, choices) of the policy, where the hour is not a random one."""
        night, told = self.night, terms(self.night, campaign, customers)
        worth = values(night, campaign, customers, feasible)
        if price is not None:
            worth = worth - price[night.people.zone[customers]]
        by_channel = worth.reshape(feasible.shape)
        mean, best_hour = by_channel.max(axis=2), by_channel.argmax(axis=2)
        hour_shares = np.zeros(feasible.shape)
        spread = np.zeros(mean.shape)
        for channel in range(len(CHANNELS)):
            rows = np.flatnonzero(feasible[:, channel].any(axis=1))
            some = customers[rows]
            handicap = None
            if price is not None:
                of_channel = price[night.people.zone[some], channel * HOURS : (channel + 1) * HOURS]
                handicap = of_channel / told.per_click[rows, channel, None]
            posterior = night.beliefs.posterior(channel, some)
            hour_shares[rows, channel] = winning_shares(
                posterior, feasible[rows, channel], self.scheduling.boldness, handicap
            )
            rate = night.beliefs.rate[channel, some, best_hour[rows, channel]]
            earned = rate * told.per_click[rows, channel]
            spread[rows, channel] = value_deviation(earned, night.beliefs.log_variance[channel, some])
        channels = channel_shares(mean, spread, np.asarray(feasible.any(axis=2)), self.scheduling.boldness)
        flat = feasible.reshape(len(customers), CHOICES)
        return with_exploration(joint_shares(channels, hour_shares), flat, self.scheduling.exploration)

    def _messages(
        self, campaign: int, customers: Numbers, feasible: Mask, price: Floats | None, uniform: Floats, at_random: Mask
    ) -> Messages:
        flat = feasible.reshape(len(customers), CHOICES)
        told = self.probabilities(campaign, customers, feasible, price)
        told[at_random] = random_hour(flat[at_random], told[at_random])
        probabilities = in_millionths(told)
        drawn = draw(probabilities, uniform)
        how = np.where(at_random, RANDOM_HOUR, CHOSEN).astype(np.uint8)
        return self._with_terms(campaign, customers, flat, price, probabilities, drawn, how)

    def _with_terms(
        self,
        campaign: int,
        customers: Numbers,
        flat: Mask,
        price: Floats | None,
        probabilities: Millionths,
        drawn: Numbers,
        how: NDArray[np.uint8],
    ) -> Messages:
        rows = np.arange(len(customers))
        night, told = self.night, terms(self.night, campaign, customers)
        paid = np.zeros(flat.shape) if price is None else price[night.people.zone[customers]]
        worth = values(night, campaign, customers, flat.reshape(len(customers), len(CHANNELS), HOURS))
        channel = drawn // HOURS
        return Messages(
            campaign=np.full(len(customers), campaign),
            customer=customers,
            choice=drawn,
            drawn=drawn,
            how=how,
            is_second=np.zeros(len(customers), bool),
            is_repaired=np.zeros(len(customers), bool),
            best=drawn == (worth - paid).argmax(axis=1),
            probabilities=probabilities,
            value=worth[rows, drawn],
            unclicked=np.ones(len(customers)),
            rate=click_rate(night, channel, customers, drawn % HOURS),
            orders_per_click=night.orders_per_click[campaign, channel],
            margin=night.margin[campaign, customers].astype(np.float64),
            cost=np.full(len(customers), told.cost),
            fatigue=told.fatigue[rows, channel],
            price=paid[rows, drawn],
        )

    def moved(self, messages: Messages, rows: Numbers, choice: Numbers, price: Floats | None) -> Messages:
        """``messages`` with these rows moved to these choices by a repair."""
        night = self.night
        whole: dict[str, Any] = {}
        channel, customers = choice // HOURS, messages.customer[rows]
        whole["choice"], whole["is_repaired"] = messages.choice.copy(), messages.is_repaired.copy()
        whole["choice"][rows], whole["is_repaired"][rows] = choice, True
        told = {
            "rate": click_rate(night, channel, customers, choice % HOURS),
            "orders_per_click": night.orders_per_click[messages.campaign[rows], channel],
            "fatigue": night.fatigue[channel, customers].astype(np.float64),
            "price": np.zeros(len(rows)) if price is None else price[night.people.zone[customers], choice],
        }
        for name, values_ in told.items():
            whole[name] = getattr(messages, name).copy()
            whole[name][rows] = values_
        whole["value"] = messages.value.copy()
        earned = told["rate"] * told["orders_per_click"] * messages.margin[rows]
        whole["value"][rows] = messages.unclicked[rows] * earned - messages.cost[rows] - told["fatigue"]
        return replace(messages, **whole)


def click_rate(night: Night, channel: Numbers, customers: Numbers, hour: Numbers) -> Floats:
    """(rows,): how likely a message on these channels at these hours is clicked."""
    return night.beliefs.rate[channel, customers, hour].astype(np.float64) * night.click_factor[channel, customers]


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, rows))

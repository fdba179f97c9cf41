"""What a click is worth: orders and margin per clicked message, by channel and campaign. Pure.

A campaign's clicks are few, so each rate is drawn to the channel's, the channel's to the shop's and that to the prior:

    rate = (orders + K · rate of the level above) / (clicks + K)

the posterior mean of a beta-binomial (or, since a click may bring two orders, gamma-Poisson) model whose prior is worth
K clicks (Gelman et al., Bayesian Data Analysis, chapters 2 and 5). Margin per order likewise, by orders.

A click here is a message that a person clicked, however often; an order belongs to the latest human click whose window
it falls into, so each is credited once. That says who was there last: it is read as caused by the click, which
overstates what messages earn wherever customers would have come anyway. What they truly earn is measured against people
held out (``campaign_lift``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ORDERS_PER_CLICK = 0.03
"""Before anything is measured: 3 orders in 100 clicks, as of a large retailer's messages (1.10% click, 0.03% buy)."""
SHOP_CLICKS = 200.0
"""Pseudo-clicks behind ``ORDERS_PER_CLICK``."""
CHANNEL_CLICKS = 200.0
"""Pseudo-clicks that draw a channel to the shop: 6 orders' worth."""
CAMPAIGN_CLICKS = 200.0
"""Pseudo-clicks that draw a campaign to its channel."""
PRIOR_ORDERS = 10.0
"""Pseudo-orders that draw margin per order to the level above; a shop's own to its mean order of the last days."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClickCounts:
    """Decayed counts of one campaign on one channel. clicks: clicked messages. orders, margin: credited to them."""

    clicks: float
    orders: float
    margin: float

    def __add__(self, other: ClickCounts) -> ClickCounts:
        return ClickCounts(self.clicks + other.clicks, self.orders + other.orders, self.margin + other.margin)


NOTHING = ClickCounts(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ClickValue:
    """orders_per_click: orders. margin_per_order: money. clicks: decayed, what was seen."""

    orders_per_click: float
    margin_per_order: float
    clicks: float

    @property
    def margin_per_click(self) -> float:
        return self.orders_per_click * self.margin_per_order

    def drawn_to(self, counts: ClickCounts, pseudo_clicks: float) -> ClickValue:
        """What ``counts`` say where this is what is known before."""
        orders = counts.orders + pseudo_clicks * self.orders_per_click
        margin = counts.margin + PRIOR_ORDERS * self.margin_per_order
        return ClickValue(
            orders / (counts.clicks + pseudo_clicks), margin / (counts.orders + PRIOR_ORDERS), counts.clicks
        )


@dataclass(frozen=True)
class Conversion:
    """shop: over all channels. channels: by channel. campaigns: by (campaign, channel), those with clicks alone."""

    shop: ClickValue
    channels: dict[str, ClickValue]
    campaigns: dict[tuple[str, str], ClickValue]

    @classmethod
    def learn(
        cls, counts: Mapping[tuple[str, str], ClickCounts], *, channels: tuple[str, ...], margin_per_order: float
    ) -> Self:
        """counts: by (campaign, channel). margin_per_order: money, the prior: of any order in the shop."""
        sums = dict.fromkeys(channels, NOTHING)
        for (_, channel), of_campaign in counts.items():
            sums[channel] += of_campaign
        prior = ClickValue(ORDERS_PER_CLICK, margin_per_order, 0.0)
        shop = prior.drawn_to(sum(sums.values(), NOTHING), SHOP_CLICKS)
        of_channels = {channel: shop.drawn_to(total, CHANNEL_CLICKS) for channel, total in sums.items()}
        of_campaigns = {key: of_channels[key[1]].drawn_to(told, CAMPAIGN_CLICKS) for key, told in counts.items()}
        return cls(shop, of_channels, of_campaigns)

    def of(self, campaign_id: str, channel: str) -> ClickValue:
        """The channel's where the campaign has no clicks yet, the shop's on a channel that was never learned."""
        return self.campaigns.get((campaign_id, channel), self.channels.get(channel, self.shop))

    # --- keeping it --------------------------------------------------------------------------------------------------

    def as_json(self, channel: str) -> dict[str, Any]:
        """The part of one channel, exactly."""
        campaigns = {campaign: asdict(value) for (campaign, of), value in self.campaigns.items() if of == channel}
        return {"shop": asdict(self.shop), "channel": asdict(self.channels[channel]), "campaigns": campaigns}

    @classmethod
    def of_json(cls, told: Mapping[str, Mapping[str, Any]]) -> Self:
        """told: by channel, as ``as_json`` made it."""
        return cls(
            ClickValue(**next(iter(told.values()))["shop"]),
            {channel: ClickValue(**part["channel"]) for channel, part in told.items()},
            {
                (campaign, channel): ClickValue(**value)
                for channel, part in told.items()
                for campaign, value in part["campaigns"].items()
            },
        )

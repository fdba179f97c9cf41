"""How customers answer messages: the truth of clicks, and every draw about a message. Arrays in, arrays out.

Each draw goes by the world's seed and the message's id, so the same message meets the same answer in any company.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from include.simulator import rates
from include.simulator.catalogue import Catalogue
from include.simulator.chance import Floats, Numbers, normal, uniform
from include.simulator.clock import DAY_SECONDS, DayClock
from include.simulator.people import EMAIL, PUSH, People
from include.simulator.sent import Sent
from include.simulator.world import World

Mask = NDArray[np.bool_]

_CLICK_DELAY = (rates.CLICK_DELAY_HOURS, rates.CLICK_DELAY_SIGMA)
_ORDER_DELAY = (rates.ORDER_DELAY_HOURS, rates.ORDER_DELAY_SIGMA)
"""Median, hours, and sigma of a lognormal; an order waits for both."""
_LONGEST_DELAY = float(rates.LONGEST_DELAY_DAYS * DAY_SECONDS)
_QUANTILES = 500


@dataclass(frozen=True)
class ClickTruth:
    """What would truly be clicked, each (messages,): at the hour it was sent, at the best and, on average, at a random
    one of the hours that were allowed, all else being the same. hour: of the customer's clock. fit: 0 to 1.
    """

    hour: Floats
    is_weekend: Numbers
    fit: Floats
    rate: Floats
    best_rate: Floats
    random_rate: Floats


@dataclass(frozen=True)
class Answers:
    """What became of each message, arrays (messages,); instants in seconds since 1970. Columns of ``item_share`` are
    the positions; ``clicked_place`` and ``ordered_place`` are positions of items."""

    is_hard_bounce: Mask
    is_soft_bounce: Mask
    delivered_at: Floats
    opens: Mask
    machine_opens: Mask
    scans: Mask
    scans_late: Mask
    machine_at: Floats
    clicks: Mask
    clicks_again: Mask
    reads_at: Floats
    clicked_place: Numbers
    unsubscribes: Mask
    complains: Mask
    orders: Mask
    order_rate: Floats
    """Expected orders that would not have been made without it."""
    ordered_at: Floats
    ordered_place: Numbers
    item_share: Floats
    """(messages, most items): how likely a position is the one that is looked at."""


def click_truth(
    world: World, people: People, catalogue: Catalogue, clock: DayClock, sent: Sent, allowed_hours: list[int]
) -> ClickTruth:
    """Of messages sent on the clock's day. allowed_hours: of the local clock."""
    days = float(world.days_since_first_night(clock.day))
    hour, is_weekend = clock.local(people.zone[sent.who], sent.sent_at)
    known = sent.items >= 0
    fits = people.fit(sent.who, np.where(known, sent.items, 0), catalogue, days)
    fit = (position_shares(sent) * fits).sum(axis=1)
    besides = rates.FIT_EFFECT * (fit - 0.5) - people.fatigue[sent.who] * (sent.load - rates.USUAL_LOAD)

    def rate(at: Floats) -> Floats:
        odds = people.hours.log_odds(sent.who, sent.channel, is_weekend, at, days) + besides
        clicked: Floats = np.minimum(expit(odds), rates.LARGEST_CLICK_RATE)
        return clicked

    allowed = rate(np.array(allowed_hours, dtype=np.float64)[:, None])
    return ClickTruth(hour, is_weekend, fit, rate(hour), allowed.max(axis=0), allowed.mean(axis=0))


def position_shares(sent: Sent) -> Floats:
    """(messages, most items): how much each position counts, falling with log2 as in nDCG; rows sum to 1, or to 0."""
    weight = (sent.items >= 0) / np.log2(np.arange(sent.items.shape[1]) + 2)
    return weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)


def answers(world: World, people: People, clock: DayClock, sent: Sent, truth: ClickTruth) -> Answers:
    """Draw what becomes of each message."""
    subjects, seed = sent.subjects(), world.seed

    def happens(share: Floats | float, name: str) -> Mask:
        drawn: Mask = uniform(subjects, seed, name) < share
        return drawn

    by_email = sent.channel == EMAIL
    bounce = uniform(subjects, seed, "bounce")
    is_hard = by_email & (bounce < rates.HARD_BOUNCE_RATE)
    is_soft = by_email & ~is_hard & (bounce < rates.HARD_BOUNCE_RATE + rates.SOFT_BOUNCE_RATE)
    arrived = ~is_hard & ~is_soft
    clicks = arrived & happens(truth.rate, "click")
    relative = truth.rate / world.click_rate
    annoyed = np.exp(rates.UNSUBSCRIBES_PER_FATIGUE * people.fatigue[sent.who] * (sent.load - rates.USUAL_LOAD))
    prefetched = people.is_prefetched[sent.who] & happens(rates.OPEN_RATE_MACHINES / rates.PREFETCHED_SHARE, "fetch")
    scans = arrived & by_email & people.is_scanned[sent.who] & happens(rates.SCANS_PER_MESSAGE, "scan")
    # Only a gateway that follows several links at once can be told by anything but its haste.
    scans_late = scans & ((sent.items >= 0).sum(axis=1) >= 3) & happens(rates.LATE_SCAN_SHARE, "late scan")
    delivered_at = np.floor(sent.sent_at + 1 + 4 * uniform(subjects, seed, "delivered"))
    haste = np.where(scans_late, 60 + 60 * uniform(subjects, seed, "late"), 1 + 4 * uniform(subjects, seed, "machine"))
    reads_at = np.floor(sent.sent_at + _delay(normal(subjects, seed, "click delay"), *_CLICK_DELAY))
    order_rate = _order_rate(world, sent, truth, relative)
    without_click = _terms(world, sent, "orders_without_click") * relative
    buys = np.where(clicks, _terms(world, sent, "orders_per_click"), without_click)
    shares = position_shares(sent)
    return Answers(
        is_hard_bounce=is_hard,
        is_soft_bounce=is_soft,
        delivered_at=delivered_at,
        opens=arrived
        & by_email
        & (clicks | happens(rates.OPEN_RATE_PEOPLE * np.sqrt(np.minimum(relative, 4.0)), "open")),
        machine_opens=arrived & by_email & prefetched,
        scans=scans,
        scans_late=scans_late,
        machine_at=np.floor(delivered_at + haste),
        clicks=clicks,
        clicks_again=clicks & happens(rates.SECOND_CLICK_RATE, "clicks again"),
        reads_at=reads_at,
        clicked_place=_place(shares, uniform(subjects, seed, "clicked place")),
        unsubscribes=arrived & happens(np.minimum(rates.UNSUBSCRIBE_RATE * annoyed, 0.5), "unsubscribe"),
        complains=arrived & by_email & happens(np.minimum(rates.COMPLAINT_RATE * annoyed, 0.5), "complaint"),
        orders=arrived & shares.any(axis=1) & happens(buys, "order"),
        order_rate=order_rate * shares.any(axis=1),
        ordered_at=reads_at + np.round(_delay(normal(subjects, seed, "order delay"), *_ORDER_DELAY), 3),
        ordered_place=_place(shares, uniform(subjects, seed, "ordered place")),
        item_share=shares,
    )


def _order_rate(world: World, sent: Sent, truth: ClickTruth, relative: Floats) -> Floats:
    arrives = np.where(sent.channel == PUSH, 1.0, 1 - rates.HARD_BOUNCE_RATE - rates.SOFT_BOUNCE_RATE)
    without_click = np.minimum(_terms(world, sent, "orders_without_click") * relative, 1.0)
    by_click = truth.rate * _terms(world, sent, "orders_per_click")
    return arrives * (by_click + (1 - truth.rate) * without_click)


def _terms(world: World, sent: Sent, name: str) -> Floats:
    """(messages,): a number of each one's campaign; 0 for a campaign that is none of the world's."""
    values = {terms.campaign_id: float(getattr(terms, name)) for terms in world.campaigns}
    return np.array([values.get(campaign_id, 0.0) for campaign_id in sent.campaign_id], dtype=np.float64)


def _place(shares: Floats, drawn: Floats) -> Numbers:
    """The position that ``drawn`` falls on when positions are laid end to end; shares: (messages, positions)."""
    return np.minimum((np.cumsum(shares, axis=1) <= drawn[:, None]).sum(axis=1), shares.shape[1] - 1) * shares.any(
        axis=1
    )


def clicked_within(seconds: float) -> float:
    """Of a message's clicks, the share expected within so many seconds of sending it."""
    return float(_delayed_within(np.array([seconds]), *_CLICK_DELAY)[0])


def ordered_within(seconds: Floats) -> Floats:
    """Of the orders that a message makes, the share expected within so many seconds of sending it; of any shape."""
    read_after = _delay(ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES), *_CLICK_DELAY)
    grid = np.geomspace(2 * rates.SHORTEST_DELAY_SECONDS, 2 * _LONGEST_DELAY, _QUANTILES)
    share: Floats = np.interp(seconds, grid, _delayed_within(grid[:, None] - read_after, *_ORDER_DELAY).mean(axis=1))
    return share


def _delay(drawn: Floats, median_hours: float, sigma: float) -> Floats:
    """Seconds, lognormal within the bounds; drawn: standard normal."""
    return np.clip(3600 * median_hours * np.exp(sigma * drawn), rates.SHORTEST_DELAY_SECONDS, _LONGEST_DELAY)


def _delayed_within(seconds: Floats, median_hours: float, sigma: float) -> Floats:
    """The share of such delays that are no longer."""
    drawn = np.log(np.clip(seconds, rates.SHORTEST_DELAY_SECONDS, None) / (3600 * median_hours)) / sigma
    share: Floats = np.where(seconds >= _LONGEST_DELAY, 1.0, ndtr(drawn))
    return np.where(seconds < rates.SHORTEST_DELAY_SECONDS, 0.0, share)

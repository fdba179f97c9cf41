"""The truth about the customers of a made-up world. Nothing here is ever written where the product can read it.

Each customer's truth follows from the world and the customer's number alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow
from numpy.typing import NDArray
from scipy.special import expit, logit

from include.settings import CHANNELS
from include.simulator import rates
from include.simulator.catalogue import Catalogue, catalogue_of
from include.simulator.chance import Floats, Numbers, Subjects, chosen, normal, numbered, uniform
from include.simulator.world import World

EMAIL, PUSH = CHANNELS.index("email"), CHANNELS.index("app_push")
WEEKDAY, WEEKEND = 0, 1
NEVER = 1_000_000
JOINING_DAYS = DRIFT_DAYS = 90
DEVICES = ("mobile", "desktop", "tablet")
_REFERENCE = 4096
"""Customers that the level of click rates is set by, whatever the number a world has."""
_REFERENCE_HOURS: Floats = np.arange(8.0, 21.0)[:, None]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hours:
    """When customers answer. peaks: (channels, day types, customers), hours. amplitude: (customers,), of the log odds.

    base: (channels, customers), log odds of a click far from any hour's effect. drift: (customers,), hours a day.
    """

    peaks: Floats
    amplitude: Floats
    base: Floats
    drift: Floats

    def log_odds(self, who: Numbers, channel: Numbers, is_weekend: Numbers, hour: Floats, days: float) -> Floats:
        """Of a click on a middling message at ``hour`` of the customer's clock, ``days`` after the first night.

        hour: as long as ``who``, or (…, len(who)).
        """
        peak = self.peaks[channel, is_weekend, who] + self.drift[who] * days
        bump = np.exp(rates.HOUR_CONCENTRATION * (np.cos(2 * np.pi * (hour - peak) / 24) - 1))
        shape = rates.HOUR_HEIGHT * (bump - rates.HOUR_CENTRE)
        odds: Floats = self.base[channel, who] + self.amplitude[who] * shape
        return odds


@dataclass(frozen=True)
class People:
    """Customers 0 to n − 1. Arrays are (customers,) unless said otherwise; days count from the first night.

    taste, later_taste: (customers, categories), shares that sum to 1; the later from ``taste_changes`` on.
    staples, staple_interval, staple_phase: (customers, staples); −1: none.
    """

    subjects: Subjects
    ids: pyarrow.Array
    zone: Numbers
    joined: Numbers
    visits: Floats
    style: Numbers
    taste: NDArray[np.float32]
    later_taste: NDArray[np.float32]
    taste_changes: Numbers
    staples: Numbers
    staple_interval: Floats
    staple_phase: Floats
    hours: Hours
    fatigue: Floats
    is_prefetched: Mask
    is_scanned: Mask
    device: Numbers
    has_email: Mask
    has_push: Mask
    consents: Mask = field(repr=False)
    """(channels, customers): given when the customer joined."""
    return_days: Numbers

    def __len__(self) -> int:
        return len(self.subjects)

    def taste_on(self, who: Numbers, days: float) -> NDArray[np.float32]:
        """(len(who), categories)."""
        changed = (self.taste_changes[who] <= days)[:, None]
        return np.where(changed, self.later_taste[who], self.taste[who])

    def fit(self, who: Numbers, items: Numbers, catalogue: Catalogue, days: float) -> Floats:
        """How well each item suits: 0 not at all, 1 the best item of the dearest category. items: (len(who), n)."""
        taste = self.taste_on(who, days)
        dearest = taste.max(axis=1, keepdims=True)
        liked = np.take_along_axis(taste, catalogue.category[items], axis=1) / dearest
        place = catalogue.rank[self.style[who][:, None], items]
        is_staple = (items[:, :, None] == self.staples[who][:, None, :]).any(axis=2)
        return np.where(is_staple, 1.0, np.sqrt(liked) * (1 - 0.7 * place))


@lru_cache(maxsize=2)
def people_of(world: World) -> People:
    """All customers of ``world``: about 400 bytes each."""
    return _people(world, np.arange(world.customers, dtype=np.uint64))


def _people(world: World, subjects: Subjects) -> People:
    seed, catalogue = world.seed, catalogue_of(world)

    def share(name: str) -> Floats:
        return uniform(subjects, seed, name)

    zone_shares = np.array([zone.share for zone in world.time_zones])
    joins, is_cold = share("joins late") < world.joining_share, share("is cold") < world.cold_share
    early = -world.history_days - 1 - (share("customer for") * 700).astype(np.int64)
    visits = world.visits_per_day * np.exp(
        rates.VISIT_SPREAD * normal(subjects, seed, "visits") - rates.VISIT_SPREAD**2 / 2
    )
    style = (share("style") * world.styles).astype(np.int64)
    taste = _taste(world, subjects, "taste")
    changes = share("taste changes") < world.taste_drift_share
    has_email, has_push = share("email") < rates.EMAIL_SHARE, share("push") < rates.PUSH_SHARE
    consents = np.stack([share("email consent") < rates.EMAIL_CONSENT, share("push consent") < rates.PUSH_CONSENT])
    staples, interval, phase = _staples(world, catalogue, subjects, taste, style)
    return People(
        subjects=subjects,
        ids=pyarrow.array([f"c{number}" for number in subjects.tolist()]),
        zone=chosen(subjects, zone_shares, seed, "zone"),
        joined=np.where(joins, 1 + (share("joins on") * JOINING_DAYS).astype(np.int64), early),
        visits=np.where(is_cold, 0.0, visits),
        style=style,
        taste=taste,
        later_taste=_taste(world, subjects, "later taste") if world.taste_drift_share else taste,
        taste_changes=np.where(changes, (share("taste changes on") * DRIFT_DAYS).astype(np.int64), NEVER),
        staples=np.where(is_cold[:, None], -1, staples),
        staple_interval=interval,
        staple_phase=phase,
        hours=_hours(world, subjects, _median_rate(world)),
        fatigue=world.fatigue * np.exp(rates.FATIGUE_SPREAD * normal(subjects, seed, "fatigue")),
        is_prefetched=share("prefetched") < rates.PREFETCHED_SHARE,
        is_scanned=share("scanned") < rates.SCANNED_SHARE,
        device=chosen(subjects, np.array([0.6, 0.33, 0.07]), seed, "device"),
        has_email=has_email,
        has_push=has_push,
        consents=consents & np.stack([has_email, has_push]),
        return_days=np.array(rates.RETURN_DAYS)[(share("returns after") * len(rates.RETURN_DAYS)).astype(np.int64)],
    )


def _taste(world: World, subjects: Subjects, name: str) -> NDArray[np.float32]:
    categories = np.arange(world.categories)
    drawn = uniform(numbered(subjects[:, None], categories), world.seed, name) ** rates.TASTE_POWER
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


def _staples(
    world: World, catalogue: Catalogue, subjects: Subjects, taste: NDArray[np.float32], style: Numbers
) -> tuple[Numbers, Floats, Floats]:
    """Items, days between purchases and phase, each (customers, staples)."""
    most, seed = world.staples_per_customer, world.seed
    parts = numbered(subjects[:, None], np.arange(most))
    count = (uniform(subjects, seed, "staples") * (most + 1)).astype(np.int64)
    category = drawn_category(taste[:, None, :], uniform(parts, seed, "staple category"))
    place = uniform(parts, seed, "staple item") ** rates.RANK_POWER
    items = catalogue.at_place(category, style[:, None], place)
    interval = rates.INTERVAL_DAYS * np.exp(rates.INTERVAL_SIGMA * normal(parts, seed, "staple interval"))
    interval = np.maximum(interval, 2.0)
    phase = interval * uniform(parts, seed, "staple phase")
    return np.where(np.arange(most) < count[:, None], items, -1), interval, phase


def drawn_category(taste: NDArray[np.float32], drawn: Floats) -> Numbers:
    """The category that ``drawn`` (…) in [0, 1) falls on; taste: (…, categories)."""
    ends = np.cumsum(taste, axis=-1)
    return np.minimum((ends <= drawn[..., None]).sum(axis=-1), taste.shape[-1] - 1)


@lru_cache(maxsize=2)
def _median_rate(world: World) -> float:
    """The median base rate at which a middling message by email at a random hour is clicked as the world says."""
    subjects, who = np.arange(_REFERENCE, dtype=np.uint64), np.arange(_REFERENCE)
    median = world.click_rate
    for _ in range(4):
        hours = _hours(world, subjects, median)
        odds = hours.log_odds(who, np.zeros_like(who), np.zeros_like(who), _REFERENCE_HOURS, 0.0)
        median *= world.click_rate / float(expit(odds).mean())
    return median


def _hours(world: World, subjects: Subjects, median_rate: float) -> Hours:
    seed = world.seed
    centres, shares = map(np.array, zip(*rates.PEAK_GROUPS, strict=True))
    group = chosen(subjects, shares, seed, "hour group")
    peak = centres[group] + rates.PEAK_SPREAD_HOURS * normal(subjects, seed, "peak")
    low, high = rates.ANYWHERE_HOURS
    anywhere = low + (high - low) * uniform(subjects, seed, "peak anywhere")
    peak = np.where(uniform(subjects, seed, "is anywhere") < rates.ANYWHERE_SHARE, anywhere, peak)
    on_push = peak + rates.PUSH_PEAK_SPREAD_HOURS * normal(subjects, seed, "push peak")
    later = rates.WEEKEND_LATER_HOURS + rates.WEEKEND_SPREAD_HOURS * normal(subjects, seed, "weekend peak")
    rate = np.clip(
        median_rate * np.exp(rates.BASE_RATE_SIGMA * normal(subjects, seed, "base rate")), *rates.BASE_RATE_BOUNDS
    )
    moves = uniform(subjects, seed, "peak drifts") < 0.5
    return Hours(
        peaks=np.stack([[peak, peak + later], [on_push, on_push + later]]),
        amplitude=world.strength * np.abs(1 + rates.AMPLITUDE_SPREAD * normal(subjects, seed, "amplitude")),
        base=np.stack([logit(rate), logit(np.minimum(rate * rates.PUSH_CLICK_FACTOR, rates.BASE_RATE_BOUNDS[1]))]),
        drift=np.where(moves, world.peak_drift_hours / DRIFT_DAYS, 0.0),
    )

"""When customers click: a few classes of hour curves, learned from everyone. Arrays in, arrays out, one channel.

The axes of a count array are (customer, day type, hour): hours 0 to 23 of the customer's own clock, on a circle. The
model, an empirical-Bayes one (latent classes, fitted by variational EM; Bishop 2006, chapter 10):

    clicks_dh ~ Poisson(sends_dh · r · θ_c,dh)      r: the customer's level, c: the customer's class on such days
    θ_c,dh    = g_d · f(h − peak_c)^strength_c      g: the shop's rate; f: one shape for all, around its peak:
    log f(t)  = height · bump(t), less its mean     bump: from 1 at 0 to 0 twelve hours away, exp(concentration·cos)
    r         = ρ_segment · x, x ~ w                w: weights of LEVELS, whatever they are (Laird 1978)
    c         ~ ω_segment on working days, and on weekends the same strength, its peak turned by Δ ~ τ

So little is known of one customer (three clicks in ninety sends, say) that the question is not what their curve is but
which of the curves that others have is theirs; and all clicks together say what those curves are. Nobody's hours are
assumed: f, g, ω, τ, ρ and w are learned, and where no hour is better than another f becomes flat. Height and
concentration are those that make all clicks likeliest, whatever the classes: a shape free at every hour, learned from
classes that are themselves uncertain, comes out too flat where personal hours are weak. When customers are active in
the shop is evidence too, worth as many clicks as makes their real clicks likeliest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtri

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

HOURS = 24
DAY_TYPES = 2
STRENGTHS = (0.5, 1.0, 1.6)
"""Of the classes with a peak, as powers of the shape; one class more has none."""
CLASSES = 1 + len(STRENGTHS) * HOURS
PRIOR_RATE = 0.011
"""Click rate of a shop that has sent nothing yet, near that of a large retailer's campaigns (1.1% of sends)."""
PRIOR_SENDS = 200.0
"""Pseudo-sends behind ``PRIOR_RATE``."""
LEVELS = np.exp(np.linspace(np.log(0.05), np.log(20), 32))
FIRST_SAME = 0.5
"""Share of customers whose weekends are as their other days, before anything is known of it."""
FIRST_SPREAD = 0.7
"""Standard deviation of log x before anything is known of it."""
PRIOR_CUSTOMERS = 30.0
"""Pseudo-customers who tie a segment's classes and level to everyone's."""
PRIOR_TURNED = (50.0, 0.5)
"""Pseudo-customers whose weekends are as their other days, and for each other turn of the clock."""
PRIOR_CLICKS = 10.0
"""Pseudo-clicks behind the rate of each type of day and each segment's level, in each step that learns them."""
STEP = 0.7
FIRST_HEIGHT, FIRST_CONCENTRATION = 0.8, 2.0
"""Of the shape, before anything is learned."""
HEIGHT_SPREAD = 1.0
"""Standard deviation of the height before anything is learned: a handful of clicks makes no peak."""
CONCENTRATION_SPREAD = 0.7
"""Of the logarithm of the concentration: where peaks are low, hardly anything tells wide ones from narrow ones."""
HEIGHT_STEP, CONCENTRATION_STEP = 1.25, 1.6
"""Factors by which other shapes are tried."""
SHAPE_STEPS = tuple(sorted(itertools.product((-1, 0, 1), repeat=2), key=lambda step: step != (0, 0)))
"""Powers of them, none first: a low wide shape and a high narrow one are alike, and the way leads along a ridge."""
HEIGHTS, CONCENTRATIONS = (0.02, 5.0), (0.5, 20.0)
SHAPE_EVERY = 4
"""Iterations after which other shapes are tried."""
ITERATIONS = 60
"""From nothing, every time: going on from a former model makes levels and classes of chance."""
EXPECTATIONS = 2
"""Of each iteration: how often the classes of the two types of day look at each other."""
LEVEL_STEPS = 3
"""Of each iteration, for the weights of levels."""
ACTIVITY_EVERY = 5
"""Iterations after which it is asked anew what activity in the shop is worth."""
LEARN_FROM, COMPARE_ON = 20_000, 6_000
"""Customers who were written to, spread over all: more would hardly change what is common to everyone, nor which shape
or worth of activity makes clicks likelier."""
SINCE_PEAK = (np.arange(HOURS) - np.arange(HOURS)[:, None]) % HOURS
"""(peak, hour): hours of the clock from the one to the other."""
TINY = 1e-300
PRIOR_CLASS = 1 / CLASSES
ACTIVITY_CLICKS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Clicks that a customer's activity in the shop may be worth."""
RATE_BOUNDS = (1e-6, 0.95)
INTERVAL = 0.9


@dataclass(frozen=True)
class Counts:
    """sends, clicks: (customers, day type, hour), decayed, 0 ≤ clicks ≤ sends. segment: (customers,) codes from 0.

    activity: (customers, hour), shares of shop activity by hour; rows of zeros where there is none.

    worth: Σ w / Σ w² over the weights w ≤ 1 of all sends (Kish 1965). A sum of decayed clicks varies less than a
    Poisson count of the same mean; times ``worth`` its variance is its mean again. Taken for counts as they are,
    decayed ones would hide how much customers differ, and intervals would be too narrow.
    """

    sends: Floats
    clicks: Floats
    segment: Codes
    activity: NDArray[np.floating[Any]]
    worth: float = 1.0

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def totals(self) -> tuple[float, float]:
        """All sends and all clicks."""
        return float(self.sends.sum()), float(self.clicks.sum())

    @property
    def written_to(self) -> NDArray[np.int64]:
        """Numbers of the customers with any send, ascending."""
        return np.flatnonzero(self.sends.any(axis=(1, 2)))

    def of(self, customers: NDArray[Any]) -> Counts:
        return replace(
            self,
            sends=self.sends[customers],
            clicks=self.clicks[customers],
            segment=self.segment[customers],
            activity=self.activity[customers],
        )

    def effective(self) -> Self:
        return replace(self, sends=self.sends * self.worth, clicks=self.clicks * self.worth, worth=1.0)


@dataclass(frozen=True)
class SparseCounts:
    """The counts of all customers of a large shop, of which hardly any cell has a send.

    cell: (cells with sends,), ascending: (customer · DAY_TYPES + day type) · HOURS + hour. sends, clicks: beside it.
    segment, activity, worth: as of ``Counts``.
    """

    cell: NDArray[np.int64]
    sends: Floats
    clicks: Floats
    segment: Codes
    activity: NDArray[np.float32]
    worth: float = 1.0

    def __len__(self) -> int:
        return len(self.segment)

    def effective(self) -> Self:
        return replace(self, sends=self.sends * self.worth, clicks=self.clicks * self.worth, worth=1.0)

    @property
    def totals(self) -> tuple[float, float]:
        return float(self.sends.sum()), float(self.clicks.sum())

    @property
    def written_to(self) -> NDArray[np.int64]:
        return np.unique(self.cell // (DAY_TYPES * HOURS))

    def of(self, customers: NDArray[Any]) -> Counts:
        """These customers' (numbers, ascending) as whole arrays."""
        size = DAY_TYPES * HOURS
        first, last = np.searchsorted(self.cell, customers * size), np.searchsorted(self.cell, (customers + 1) * size)
        held = last - first
        found = np.repeat(first - np.cumsum(held) + held, held) + np.arange(held.sum())
        row = np.repeat(np.arange(len(customers)), held)
        sends, clicks = np.zeros((2, len(customers), size))
        for whole, told in ((sends, self.sends), (clicks, self.clicks)):
            whole[row, self.cell[found] % size] = told[found]
        shape = len(customers), DAY_TYPES, HOURS
        segment, activity = self.segment[customers], self.activity[customers]
        return Counts(sends.reshape(shape), clicks.reshape(shape), segment, activity, self.worth)


@dataclass(frozen=True)
class HourPosterior:
    """What is known of the click rates of some customers on days of one type.

    share: (customers, classes), of each class. level: (customers, classes), E[r] if it is that one. curves: (classes,
    hours), θ; blur: beside it, the variance of log θ among those for whom a class stands. log_variance: (customers,),
    of log r.
    """

    share: Floats
    level: Floats
    curves: Floats
    blur: Floats
    log_variance: Floats

    def __len__(self) -> int:
        return len(self.log_variance)

    def of(self, customers: NDArray[Any]) -> Self:
        return replace(
            self,
            share=self.share[customers],
            level=self.level[customers],
            log_variance=self.log_variance[customers],
        )

    @property
    def mean(self) -> Floats:
        """(customers, hours)."""
        return np.clip((self.share * self.level) @ self.curves, *RATE_BOUNDS)

    def interval(self, share: float = INTERVAL) -> tuple[Floats, Floats]:
        """(customers, hours) twice: what holds the rate with probability ``share``, each tail as much of the rest.

        As if the logarithm of a rate were normal. What is expected of the level differs from class to class: a customer
        who was written to at hours that are poor for one class has a higher level if it is that class.
        """
        logs, level = np.log(self.curves), np.log(self.level) - self.log_variance[:, None] / 2
        of_level = self.share * level
        middle = of_level.sum(axis=1, keepdims=True) + self.share @ logs
        squares = (of_level * level).sum(axis=1, keepdims=True) + 2 * of_level @ logs + self.share @ logs**2
        variance = self.log_variance[:, None] + self.share @ self.blur + np.maximum(squares - middle**2, 0)
        reach = ndtri((1 + share) / 2) * np.sqrt(variance)
        return np.clip(np.exp(middle - reach), 0, RATE_BOUNDS[1]), np.clip(np.exp(middle + reach), 0, 1)


@dataclass(frozen=True)
class HourModel:
    """What is common to all customers of a channel.

    shop: (day type,), g. height, concentration: of log f. weights: (segments, classes), ω.
    turn: (hours,), τ. level: (segments,), ρ. levels: (levels,), w. activity_clicks: what activity in the shop is worth.
    """

    shop: Floats
    height: float
    concentration: float
    weights: Floats
    turn: Floats
    level: Floats
    levels: Floats
    activity_clicks: float

    @classmethod
    def first(cls, rate: float, segments: int) -> Self:
        """Before anything is learned: mild peaks, at any hour."""
        return cls(
            shop=np.full(DAY_TYPES, rate),
            height=FIRST_HEIGHT,
            concentration=FIRST_CONCENTRATION,
            weights=np.full((segments, CLASSES), 1 / CLASSES),
            turn=np.where(np.arange(HOURS) == 0, FIRST_SAME, (1 - FIRST_SAME) / (HOURS - 1)),
            level=np.ones(segments),
            levels=_first_levels(),
            activity_clicks=ACTIVITY_CLICKS[1],
        )

    @classmethod
    def learn(cls, counts: Counts | SparseCounts, *, segments: int) -> Self:
        """From all customers' counts; the same model for the same counts."""
        counts = counts.effective()
        sends, clicks = counts.totals
        model = cls.first((clicks + PRIOR_SENDS * PRIOR_RATE) / (sends + PRIOR_SENDS), segments)
        written_to = counts.written_to
        if not len(written_to):
            return model
        reached, some = (counts.of(_spread(written_to, most)) for most in (LEARN_FROM, COMPARE_ON))
        for number in range(ITERATIONS):
            if number % ACTIVITY_EVERY == ACTIVITY_EVERY - 1:
                model = model._with_better_activity(some)
            if number % SHAPE_EVERY == SHAPE_EVERY - 1:
                model = model._with_better_shape(some)
            model = model._improved(reached)
        return model

    # --- curves ------------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Floats:
        """(hours,): f from its peak on, of mean 1."""
        shape = np.exp(self._log_shape(np.arange(HOURS)))
        return np.asarray(shape / shape.mean())

    def _log_shape(self, hours: NDArray[Any]) -> Floats:
        """height · bump at these hours since the peak."""
        lowest = np.exp(-2 * self.concentration)
        bump = np.exp(self.concentration * (np.cos(2 * np.pi * hours / HOURS) - 1))
        return np.asarray(self.height * (bump - lowest) / (1 - lowest))

    @property
    def peaks(self) -> Floats:
        """(classes, hours): f(h − peak)^strength, each of mean 1; the first class has no peak."""
        shapes = self.shape ** np.array(STRENGTHS)[:, None]
        turned = (shapes / shapes.mean(axis=1, keepdims=True))[:, SINCE_PEAK]
        return np.concatenate([np.ones((1, HOURS)), turned.reshape(-1, HOURS)])

    @property
    def blur(self) -> Floats:
        """(classes, hours): variance of log θ within a class.

        It stands for peaks up to half an hour from its own and for strengths up to halfway to the next, all alike
        likely: slope² / 12 per step of the one and of the other.
        """
        hours = np.arange(HOURS)
        slope = self._log_shape(hours + 0.5) - self._log_shape(hours - 0.5)
        strength = np.array(STRENGTHS)[:, None]
        of_peak = (strength * slope) ** 2
        of_strength = (np.gradient(np.array(STRENGTHS))[:, None] * np.log(self.shape)) ** 2
        within = ((of_peak + of_strength) / 12)[:, SINCE_PEAK]
        return np.concatenate([np.zeros((1, HOURS)), within.reshape(-1, HOURS)])

    def curves(self, day_type: int) -> Floats:
        """(classes, hours): θ."""
        return self.peaks * self.shop[day_type]

    # --- what is known of customers ----------------------------------------------------------------------------------

    def posterior(self, counts: Counts, day_type: int) -> HourPosterior:
        """Of each customer's click rate at each hour of days of ``day_type`` (0: working days, 1: weekends)."""
        known = self._known(counts.effective())
        return HourPosterior(
            known.share[day_type],
            known.level(day_type),
            self.curves(day_type),
            self.blur,
            known.log_variance,
        )

    # --- keeping it --------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """Numbers and lists of numbers, exactly."""
        return {each.name: np.asarray(getattr(self, each.name)).tolist() for each in fields(self)}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        numbers = ("height", "concentration", "activity_clicks")
        arrays = {name: np.array(value, np.float64) for name, value in told.items() if name not in numbers}
        height, concentration, activity_clicks = (float(told[name]) for name in numbers)
        return cls(height=height, concentration=concentration, activity_clicks=activity_clicks, **arrays)

    # --- inference ---------------------------------------------------------------------------------------------------

    def _known(self, counts: Counts) -> _Known:
        """Shares of classes and levels, each day type given what is expected on days of the other."""
        curves = [self.curves(day_type) for day_type in range(DAY_TYPES)]
        expected = [counts.sends[:, kind] @ curves[kind].T for kind in range(DAY_TYPES)]
        told = [counts.clicks[:, kind] @ np.log(curves[kind]).T for kind in range(DAY_TYPES)]
        clicks = counts.clicks.sum(axis=(1, 2))
        prior = self._log_prior(counts)
        # Which class it is, is asked as if x were Gamma distributed with the mean and variance of w.
        mean_level, concentration = self.moments
        level = self.level[counts.segment]
        base = (concentration / (mean_level * level))[:, None]
        share = [np.exp(prior)] * DAY_TYPES
        for _ in range(EXPECTATIONS):
            mean = [(share[kind] * expected[kind]).sum(axis=1, keepdims=True) for kind in range(DAY_TYPES)]
            total = base + mean[0] + mean[1]
            # r is integrated out: it takes up whatever clicks are more or fewer than a class expects.
            rate = [total - mean[kind] + expected[kind] for kind in range(DAY_TYPES)]
            said = [
                told[kind] - (clicks + concentration)[:, None] * np.log(rate[kind] / total) for kind in range(DAY_TYPES)
            ]
            pair = _Pair.of(prior + said[0], said[1], self.turn)
            share = [pair.working, pair.weekend]
        expecting = (mean[0] + mean[1])[:, 0] * level
        said_of_level = clicks[:, None] * np.log(LEVELS) - expecting[:, None] * LEVELS
        levels = np.exp(_log_normal(np.log(self.levels) + said_of_level))
        return _Known(clicks, level, share, [of / total for of in rate], expecting, said_of_level, levels, pair)

    def _log_prior(self, counts: Counts) -> Floats:
        """(customers, classes): by segment and activity in the shop."""
        activity = counts.activity @ np.log(self.peaks).T
        return _log_normal(np.log(self.weights)[counts.segment] + self.activity_clicks * activity)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean of x, and its square over the variance."""
        mean = float(self.levels @ LEVELS)
        return mean, mean**2 / max(float(self.levels @ LEVELS**2) - mean**2, 1e-3)

    # --- learning ----------------------------------------------------------------------------------------------------

    def _improved(self, counts: Counts) -> Self:
        """The maximisation step, a part of the way."""
        known = self._known(counts)
        sums = _Sums.of(counts, known, len(self.level))
        peaks, shares = self.peaks, sums.shares
        exposure = sums.exposure * peaks[:, None, :] * self.shop[:, None]
        clicked, expected = (told.sum(axis=(0, 2)) + PRIOR_CLICKS for told in (sums.clicks, exposure))
        everyone = _shares(shares.sum(axis=0) + PRIOR_CLASS)
        weights = _shares(shares + PRIOR_CUSTOMERS * everyone)
        level = self.level * (sums.clicked + PRIOR_CLICKS) / (sums.expected + PRIOR_CLICKS)
        level = level / ((level * sums.customers).sum() / sums.customers.sum())
        return replace(
            self,
            shop=self.shop * (clicked / expected) ** STEP,
            weights=weights,
            turn=_turned(sums.turned),
            level=level,
            levels=self._improved_levels(known.level_said),
        )

    def _improved_levels(self, said: Floats) -> Floats:
        """Several steps at once: they are cheap, and each alone changes little. said: (customers, levels)."""
        likelihood, levels = np.exp(said - said.max(axis=1, keepdims=True)), self.levels
        for _ in range(LEVEL_STEPS):
            customers = _shares(levels * likelihood).sum(axis=0)
            levels = _shares(customers + PRIOR_CUSTOMERS * _first_levels())
        return levels

    def _with_better_shape(self, counts: Counts) -> Self:
        """One step to the higher or lower, narrower or wider shape that makes clicks likelier; none where none does."""
        tried = [
            replace(
                self,
                height=float(np.clip(self.height * HEIGHT_STEP**up, *HEIGHTS)),
                concentration=float(np.clip(self.concentration * CONCENTRATION_STEP**narrow, *CONCENTRATIONS)),
            )
            for up, narrow in SHAPE_STEPS
        ]

        def likely(model: Self) -> float:
            return model.log_likelihood(counts) + model._log_prior_of_shape

        return max(tried, key=likely)

    @property
    def _log_prior_of_shape(self) -> float:
        higher = (self.height - FIRST_HEIGHT) / HEIGHT_SPREAD
        narrower = np.log(self.concentration / FIRST_CONCENTRATION) / CONCENTRATION_SPREAD
        return -float(higher**2 + narrower**2) / 2

    def _with_better_activity(self, counts: Counts) -> Self:
        """One step to what activity in the shop is worth that makes clicks likelier; none where none does."""
        if not counts.activity.any():
            return self
        place = ACTIVITY_CLICKS.index(self.activity_clicks)
        near = ACTIVITY_CLICKS[max(place - 1, 0) : place + 2]
        tried = [replace(self, activity_clicks=clicks) for clicks in near]
        return max(tried, key=lambda model: model.log_likelihood(counts))

    def log_likelihood(self, counts: Counts) -> float:
        """Of the clicks of working days and of those of weekends, each by itself, up to what no model changes.

        The level is integrated out as if it were Gamma distributed, the class by its weights.
        """
        mean_level, concentration = self.moments
        base = (concentration / (mean_level * self.level[counts.segment]))[:, None]
        prior = self._log_prior(counts)
        total = 0.0
        for kind in range(DAY_TYPES):
            curves = self.curves(kind)
            clicks = counts.clicks[:, kind].sum(axis=1, keepdims=True)
            expected = counts.sends[:, kind] @ curves.T
            of_class = prior + counts.clicks[:, kind] @ np.log(curves).T
            of_class -= clicks * np.log(base + expected) + concentration * np.log1p(expected / base)
            total += float((_log_sum(of_class)[:, 0] + _log_rising(concentration, clicks[:, 0])).sum())
        return total


@dataclass(frozen=True)
class _Pair:
    """Shares (customers, classes) of the classes of both day types."""

    working: Floats
    weekend: Floats
    own: Floats
    other: Floats
    turned: Floats

    @classmethod
    def of(cls, working: Floats, weekend: Floats, turn: Floats) -> Self:
        """working, weekend: (customers, classes), log weights of each day type's classes by themselves."""
        tops = [logs.max(axis=1, keepdims=True) for logs in (working, weekend)]
        own, other = np.exp(working - tops[0]) + TINY, np.exp(weekend - tops[1]) + TINY
        turned = turn[SINCE_PEAK]
        both = np.empty_like(own), np.empty_like(other)
        for kind, (mine, theirs, matrix) in enumerate(((own, other, turned.T), (other, own, turned))):
            both[kind][:, 0] = mine[:, 0] * theirs[:, 0]
            for columns in _columns():
                both[kind][:, columns] = mine[:, columns] * (theirs[:, columns] @ matrix)
        total = both[0].sum(axis=1, keepdims=True)
        return cls(both[0] / total, _shares(both[1]), own / total, other, turned)

    @property
    def joint(self) -> Floats:
        """By strength, (peak, peak): how much of all customers' shares lies on each pair of peaks."""
        return np.stack([(self.own[:, columns].T @ self.other[:, columns]) * self.turned for columns in _columns()])


@dataclass(frozen=True)
class _Known:
    """clicks, segment_level, expecting: (customers,), expecting as many clicks if x were 1.

    share, rate: by day type, (customers, classes); rate: how many clicks are expected if it is the class, relative to
    all. level_said, levels: (customers, levels), the log likelihood and the shares of x.
    """

    clicks: Floats
    segment_level: Floats
    share: list[Floats]
    rate: list[Floats]
    expecting: Floats
    level_said: Floats
    levels: Floats
    pair: _Pair

    def level(self, day_type: int) -> Floats:
        """(customers, classes): E[r] given the class."""
        return (self.segment_level * (self.levels @ LEVELS))[:, None] / self.rate[day_type]

    @property
    def log_variance(self) -> Floats:
        logs = np.log(LEVELS)
        return self.levels @ logs**2 - (self.levels @ logs) ** 2


@dataclass(frozen=True)
class _Sums:
    """clicks, exposure: (classes, day type, hour). shares: (segments, classes). turned: (hours,).

    customers, clicked, expected: (segments,).
    """

    clicks: Floats
    exposure: Floats
    shares: Floats
    turned: Floats
    customers: Floats
    clicked: Floats
    expected: Floats

    @classmethod
    def of(cls, counts: Counts, known: _Known, segments: int) -> Self:
        member = np.zeros((segments, len(counts)))
        member[counts.segment, np.arange(len(counts))] = 1
        weight = [known.share[kind] * known.level(kind) for kind in range(DAY_TYPES)]
        joint = known.pair.joint.sum(axis=0)
        return cls(
            np.stack([known.share[kind].T @ counts.clicks[:, kind] for kind in range(DAY_TYPES)], axis=1),
            np.stack([weight[kind].T @ counts.sends[:, kind] for kind in range(DAY_TYPES)], axis=1),
            member @ known.share[0],
            np.asarray(np.bincount(SINCE_PEAK.ravel(), joint.ravel(), minlength=HOURS), np.float64),
            member.sum(axis=1),
            member @ known.clicks,
            member @ (known.expecting * (known.levels @ LEVELS)),
        )


def _columns() -> Iterator[slice]:
    """Of the classes of each strength, by peak."""
    for number in range(len(STRENGTHS)):
        yield slice(1 + number * HOURS, 1 + (number + 1) * HOURS)


def _shares(weights: Floats) -> Floats:
    """Along the last axis."""
    return weights / weights.sum(axis=-1, keepdims=True)


def _spread(numbers: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """So many of them, spread over all."""
    return numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), most)).astype(np.int64)]


def _log_normal(logs: Floats) -> Floats:
    return logs - _log_sum(logs)


def _log_sum(logs: Floats) -> Floats:
    """(rows, 1): log Σ exp, along a row."""
    top = logs.max(axis=1, keepdims=True)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=1, keepdims=True)))


def _turned(customers: Floats) -> Floats:
    """(hours,): shares of customers whose weekends are turned by so many hours."""
    same, other = PRIOR_TURNED
    return _shares(customers + np.where(np.arange(HOURS) == 0, same, other))


def _log_rising(start: float, steps: Floats) -> Floats:
    """log Γ(start + steps) − log Γ(start)."""
    return np.asarray(gammaln(start + steps) - gammaln(start))


def _first_levels() -> Floats:
    """(levels,): lognormal weights of mean 1."""
    return _shares(np.exp(-0.5 * ((np.log(LEVELS) + FIRST_SPREAD**2 / 2) / FIRST_SPREAD) ** 2))

"""When customers click: a few classes of hour curves, learned from everyone. Arrays in, arrays out, one channel.

The axes of a count array are (customer, day type, hour): hours 0 to 23 of the customer's own clock, on a circle. The
model, an empirical-Bayes one (latent classes, fitted by EM; Dempster, Laird & Rubin 1977):

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

Class and level are known together: the sum goes over all levels, and given the level over both types of day. Whoever is
mostly written to at their best hours must click more often by a sharp class than by a flat one, and an approximation
that takes level and class for independent finds too few sharp ones, and is sure of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from include.scheduling.hour_counts import DAY_TYPES, HOURS, Counts, SparseCounts

Floats = NDArray[np.float64]

STRENGTHS, STRENGTH_SHARES = (0.4, 1.0, 2.0), (0.25, 0.5, 0.25)
"""Of the classes with a peak, as powers of the shape, and how many of those with a peak have each; one more has none.
The shares are given: the height of the shape says how strong peaks are, and no clicks tell the two apart."""
CLASSES = 1 + len(STRENGTHS) * HOURS
PRIOR_RATE = 0.011
"""Click rate of a shop that has sent nothing yet, near that of a large retailer's campaigns (1.1% of sends)."""
PRIOR_SENDS = 200.0
"""Pseudo-sends behind ``PRIOR_RATE``."""
LEVELS = np.exp(np.linspace(np.log(0.08), np.log(12), 16))
LOG_LEVELS = np.log(LEVELS)
LEVEL_BLUR = (LOG_LEVELS[1] - LOG_LEVELS[0]) ** 2 / 12
"""Variance of log x among those for whom a level stands."""
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
HEIGHT_SPREAD = 0.7
"""Standard deviation of the height before anything is learned: a handful of clicks makes no peak."""
CONCENTRATION_SPREAD = 0.5
"""Of the logarithm of the concentration: where peaks are low, hardly anything tells wide ones from narrow ones."""
HEIGHT_STEP, CONCENTRATION_STEP = 1.25, 1.6
"""Factors by which other shapes are tried."""
SHAPE_STEPS = tuple(sorted(itertools.product((-1, 0, 1), repeat=2), key=lambda step: step != (0, 0)))
"""Powers of them, none first: a low wide shape and a high narrow one are alike, and the way leads along a ridge."""
HEIGHTS, CONCENTRATIONS = (0.02, 5.0), (0.5, 20.0)
SHAPE_FROM, SHAPE_EVERY = 15, 5
"""Iterations before other shapes are first tried, and after which again: where peaks lie must be known a little."""
ITERATIONS = 60
"""From nothing, every time: going on from a former model makes levels and classes of chance."""
LEVEL_STEPS = 3
"""Of each iteration, for the weights of levels."""
ACTIVITY_EVERY = 5
"""Iterations after which it is asked anew what activity in the shop is worth."""
LEARN_FROM, COMPARE_ON = 10_000, 6_000
"""Customers who were written to, spread over all: more would hardly change what is common to everyone, nor which shape
or worth of activity makes clicks likelier."""
AT_ONCE = 64
"""Customers: with all levels and classes of theirs, what a core keeps close by."""
SINCE_PEAK = (np.arange(HOURS) - np.arange(HOURS)[:, None]) % HOURS
"""(peak, hour): hours of the clock from the one to the other."""
LEAST = -40.0
"""Logarithm of the least likely there is: what is less likely is as good as that, and faster."""
LEARN_IN = np.float32
PRIOR_CLASS = 1 / CLASSES
ACTIVITY_CLICKS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Clicks that a customer's activity in the shop may be worth."""
RATE_BOUNDS = (1e-6, 0.95)
INTERVAL = 0.9


@dataclass(frozen=True)
class HourPosterior:
    """What is known of the click rates of some customers on days of one type.

    share: (customers, classes), of each class. level, log_level: (customers, classes), E[r] and E[log r] if it is that
    one. log_square: (customers,), E[log² r]. curves: (classes, hours), θ; blur: beside it, the variance of log θ among
    those for whom a class stands.
    """

    share: Floats
    level: Floats
    log_level: Floats
    log_square: Floats
    curves: Floats
    blur: Floats

    def __len__(self) -> int:
        return len(self.log_square)

    def of(self, customers: NDArray[Any]) -> Self:
        return replace(
            self,
            share=self.share[customers],
            level=self.level[customers],
            log_level=self.log_level[customers],
            log_square=self.log_square[customers],
        )

    @property
    def log_variance(self) -> Floats:
        """(customers,): of log r."""
        return np.asarray(self.log_square - (self.share * self.log_level).sum(axis=1) ** 2)

    @property
    def mean(self) -> Floats:
        """(customers, hours)."""
        return np.clip((self.share * self.level) @ self.curves, *RATE_BOUNDS)

    def interval(self, share: float = INTERVAL) -> tuple[Floats, Floats]:
        """(customers, hours) twice: what holds the rate with probability ``share``, each tail as much of the rest.

        As if the logarithm of a rate were normal. What is expected of the level differs from class to class: a customer
        who was written to at hours that are poor for one class has a higher level if it is that class.
        """
        logs, of_level = np.log(self.curves), self.share * self.log_level
        middle = of_level.sum(axis=1, keepdims=True) + self.share @ logs
        squares = self.log_square[:, None] + 2 * of_level @ logs + self.share @ (logs**2 + self.blur)
        variance = np.maximum(squares - middle**2, 0)
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
            weights=_with_given_strengths(np.full((segments, CLASSES), 1 / CLASSES)),
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
            if number % SHAPE_EVERY == SHAPE_EVERY - 1 and number >= SHAPE_FROM:
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
        turned = self.turn[SINCE_PEAK]
        blocks = [said.of_type(day_type, turned) for said in self._said(counts.effective(), np.float64)]
        known = _OfType.joined(blocks)
        log_square = (known.levels * (np.log(self.level[counts.segment])[:, None] + LOG_LEVELS) ** 2).sum(axis=1)
        return HourPosterior(
            known.share, known.level, known.log_level, log_square + LEVEL_BLUR, self.curves(day_type), self.blur
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

    def _said(self, counts: Counts, precision: type[np.floating[Any]]) -> Iterator[_Said]:
        """Some customers at once."""
        level, clicks = self.level[counts.segment], counts.clicks.sum(axis=(1, 2))
        curves = [self.curves(day_type) for day_type in range(DAY_TYPES)]
        told = np.stack([counts.clicks[:, kind] @ np.log(curves[kind]).T for kind in range(DAY_TYPES)])
        told[0] += self._log_prior(counts) + (clicks * np.log(level))[:, None]
        expected = level[:, None] * np.stack([counts.sends[:, kind] @ curves[kind].T for kind in range(DAY_TYPES)])
        of_level = np.log(self.levels) + clicks[:, None] * LOG_LEVELS
        told, expected, of_level = (of.astype(precision) for of in (told, expected, of_level))
        for start in range(0, max(len(counts), 1), AT_ONCE):  # of nobody, too, there is something to say
            some = slice(start, start + AT_ONCE)
            yield _Said.of(told[:, some], expected[:, some], of_level[some], level[some])

    def _log_prior(self, counts: Counts) -> Floats:
        """(customers, classes): by segment and activity in the shop."""
        activity = counts.activity @ np.log(self.peaks).T
        return _log_normal(np.log(self.weights)[counts.segment] + self.activity_clicks * activity)

    # --- learning ----------------------------------------------------------------------------------------------------

    def _improved(self, counts: Counts) -> Self:
        """The maximisation step, a part of the way."""
        sums = self._sums(counts)
        everyone = _shares(sums.shares.sum(axis=0) + PRIOR_CLASS)
        weights = _with_given_strengths(_shares(sums.shares + PRIOR_CUSTOMERS * everyone))
        level = self.level * (sums.clicked + PRIOR_CLICKS) / (sums.expected + PRIOR_CLICKS)
        level = level / ((level * sums.customers).sum() / sums.customers.sum())
        return replace(
            self,
            shop=self._shop_by(sums),
            weights=weights,
            turn=_turned(sums.turned),
            level=level,
            levels=self._improved_levels(sums.levels),
        )

    def _sums(self, counts: Counts) -> _Sums:
        turned = self.turn[SINCE_PEAK]
        of_types, pairs = [], np.zeros((HOURS, HOURS))
        for said in self._said(counts, LEARN_IN):
            of_types.append([said.of_type(day_type, turned) for day_type in range(DAY_TYPES)])
            pairs += said.pairs(turned)
        known = [_OfType.joined(list(blocks)) for blocks in zip(*of_types, strict=True)]
        curves = [self.curves(day_type) for day_type in range(DAY_TYPES)]
        return _Sums.of(counts, known, pairs, curves, len(self.level))

    def _shop_by(self, sums: _Sums) -> Floats:
        """(day type,): g, by what is known of customers, a part of the way."""
        exposure = sums.exposure * self.peaks[:, None, :] * self.shop[:, None]
        clicked, expected = (told.sum(axis=(0, 2)) + PRIOR_CLICKS for told in (sums.clicks, exposure))
        return np.asarray(self.shop * (clicked / expected) ** STEP)

    def _improved_levels(self, known: Floats) -> Floats:
        """Several steps at once: they are cheap, and each alone changes little. known: (customers, levels), shares."""
        likelihood, levels = known / self.levels, self.levels
        for _ in range(LEVEL_STEPS):
            customers = _shares(levels * likelihood).sum(axis=0)
            levels = _shares(customers + PRIOR_CUSTOMERS * _first_levels())
        return levels

    def _with_better_shape(self, counts: Counts) -> Self:
        """One step to the higher or lower, narrower or wider shape that makes clicks likelier; none where none does.

        Each with the rates of the shop that go with it: whoever is written to at their best hours clicks more often by
        a higher shape, and would seem to speak against it.
        """
        sums = self._sums(counts)
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

        return max((replace(model, shop=model._shop_by(sums)) for model in tried), key=likely)

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
        """Of all clicks, up to what no model changes."""
        turned = self.turn[SINCE_PEAK]
        return float(sum(said.evidence(turned).sum() for said in self._said(counts, LEARN_IN)))


@dataclass(frozen=True)
class _Said:
    """What clicks and sends say of some customers' classes, given the level: then the types of day are two factors.

    own, other: (levels, customers, classes), of working days and of weekends, own with what is said of the level, both
    up to ``scale`` (customers,), the logarithm of what was taken out. level: (customers,), ρ.
    """

    own: Floats
    other: Floats
    scale: Floats
    level: Floats

    @classmethod
    def of(cls, told: Floats, expected: Floats, of_level: Floats, level: Floats) -> Self:
        """told, expected: (day type, customers, classes), Σ clicks · log θ, with the classes' log prior, and how many
        clicks are expected if x is 1. of_level: (customers, levels), what the number of clicks and w say of x."""
        levels = LEVELS.astype(of_level.dtype)[:, None, None]
        own, other = (of - levels * rate for of, rate in zip(told, expected, strict=True))
        best = other.max(axis=2, keepdims=True)
        own += best + of_level.T[:, :, None]
        top = own.max(axis=(0, 2), keepdims=True)
        for logs, most in ((other, best), (own, top)):
            logs -= most
            np.maximum(logs, LEAST, out=logs)
            np.exp(logs, out=logs)
        return cls(own, other, top[0, :, 0].astype(np.float64), level)

    def evidence(self, turned: Floats) -> Floats:
        """(customers,): the logarithm of how likely it all is. turned: (working day's peak, weekend's peak), how likely
        the one is given the other."""
        both = self._both(0, turned)
        return np.asarray(np.log(both.sum(axis=(0, 2), dtype=np.float64)) + self.scale)

    def of_type(self, day_type: int, turned: Floats) -> _OfType:
        both = self._both(day_type, turned)
        share, by_level, by_log = _moments(both)
        total = share.sum(axis=1, keepdims=True)
        level = self.level[:, None]
        levels = (both.sum(axis=2) / total[:, 0]).T
        return _OfType(share / total, level * by_level / share, np.log(level) + by_log / share, levels)

    def pairs(self, turned: Floats) -> Floats:
        """(working day's peak, weekend's peak): how much of all customers' shares lies on each pair."""
        own, pairs = self.own / self._both(0, turned).sum(axis=(0, 2))[:, None], np.zeros((HOURS, HOURS))
        for columns in _columns():
            pairs += own[..., columns].reshape(-1, HOURS).T @ self.other[..., columns].reshape(-1, HOURS)
        return pairs * turned

    def _both(self, day_type: int, turned: Floats) -> Floats:
        """(levels, customers, classes): how likely the level and the class of such days are, up to a factor of the
        customer's."""
        mine, theirs, matrix = (self.own, self.other, turned.T) if day_type == 0 else (self.other, self.own, turned)
        said, matrix = np.empty_like(theirs), np.ascontiguousarray(matrix, theirs.dtype)
        said[..., 0] = theirs[..., 0]
        for columns in _columns():
            np.matmul(theirs[..., columns], matrix, out=said[..., columns])
        said *= mine
        return said


def _moments(both: Floats) -> Floats:
    """(3, customers, classes): Σ, Σ x and Σ log x over the levels of (levels, customers, classes)."""
    powers = np.stack([np.ones(len(LEVELS)), LEVELS, LOG_LEVELS]).astype(both.dtype)
    return np.asarray((powers @ both.reshape(len(LEVELS), -1)).reshape(3, *both.shape[1:]), np.float64)


@dataclass(frozen=True)
class _OfType:
    """What is known of some customers on days of one type.

    share: (customers, classes). level, log_level: beside it, E[r] and E[log r] given the class. levels: (customers,
    levels), shares of x.
    """

    share: Floats
    level: Floats
    log_level: Floats
    levels: Floats

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


@dataclass(frozen=True)
class _Sums:
    """clicks, exposure: (classes, day type, hour). shares: (segments, classes). turned: (hours,).

    customers, clicked, expected: (segments,). levels: (customers, levels), shares of x.
    """

    clicks: Floats
    exposure: Floats
    shares: Floats
    turned: Floats
    customers: Floats
    clicked: Floats
    expected: Floats
    levels: Floats

    @classmethod
    def of(cls, counts: Counts, known: list[_OfType], pairs: Floats, curves: list[Floats], segments: int) -> Self:
        """known, curves: by day type. pairs: of peaks of working days and weekends, as of ``_Said``."""
        member = np.zeros((segments, len(counts)))
        member[counts.segment, np.arange(len(counts))] = 1
        weight = [of.share * of.level for of in known]
        expected = sum(((weight[kind] @ curves[kind]) * counts.sends[:, kind]).sum(axis=1) for kind in range(DAY_TYPES))
        return cls(
            np.stack([known[kind].share.T @ counts.clicks[:, kind] for kind in range(DAY_TYPES)], axis=1),
            np.stack([weight[kind].T @ counts.sends[:, kind] for kind in range(DAY_TYPES)], axis=1),
            member @ known[0].share,
            np.asarray(np.bincount(SINCE_PEAK.ravel(), pairs.ravel(), minlength=HOURS), np.float64),
            member.sum(axis=1),
            member @ counts.clicks.sum(axis=(1, 2)),
            member @ expected,
            known[0].levels,
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


def _with_given_strengths(weights: Floats) -> Floats:
    """(segments, classes): peaks as often as before, each strength as often as it is."""
    of_peak = weights[:, 1:].reshape(len(weights), len(STRENGTHS), HOURS).sum(axis=1)
    given = np.array(STRENGTH_SHARES)[:, None] * of_peak[:, None]
    return np.concatenate([weights[:, :1], given.reshape(len(weights), -1)], axis=1)


def _turned(customers: Floats) -> Floats:
    """(hours,): shares of customers whose weekends are turned by so many hours."""
    same, other = PRIOR_TURNED
    return _shares(customers + np.where(np.arange(HOURS) == 0, same, other))


def _first_levels() -> Floats:
    """(levels,): lognormal weights of mean 1."""
    return _shares(np.exp(-0.5 * ((np.log(LEVELS) + FIRST_SPREAD**2 / 2) / FIRST_SPREAD) ** 2))

"""``make science ROOM=off_policy``: whether off-policy values hold the truth, in made-up worlds where it is known.

The world is that of ``send_hours``. In each run other customers are drawn from it, and the product's own policy writes
to them once a day for some weeks and logs its probabilities; how customers are alike (``HourModel``) is learned once
beforehand, of others. From that log alone three other policies are valued, and what ours gains over them. The truth is
of customers drawn from this world, not of the run's own: what the policy's hours are worth by the true rates of very
many, or, for what knows customers apart, by those of all runs' customers. A control of sends at random hours is valued
by direct experiment.

Gates: each estimator's interval holds the truth in 93 to 97% of the runs; where no hour is better than another, the
interval of the gain holds 0 as often; hours are drawn as often as their logged probability says. A log without a floor
must fail. Where hours are full and 3% of the messages are repaired, SNIPS and the experiment must hold the truth in
nearly as many runs; where 12% are, the experiment alone has a figure, and IPS, were it shown, would not hold it.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import chi2, chisquare
from threadpoolctl import threadpool_limits

from include.scheduling import policy
from include.scheduling.assignment import hash_share
from include.scheduling.draws import draw, in_millionths
from include.scheduling.hour_counts import DAY_TYPES, HOURS, Counts
from include.scheduling.hour_model import HourModel
from include.scheduling.off_policy import (
    CONFIDENCE,
    TARGET_RATIO,
    Estimator,
    Experiment,
    Interval,
    LoggedSends,
    PolicyTotals,
    PolicyValue,
    usable,
)
from include.scheduling.reward_model import FOLDS, cross_fitted_rates
from include.scheduling.target_policies import best_hour, clicks_before, modal_scores, random_hour, rate_scores
from include.settings import SchedulingSettings
from tests.science.send_hours import STRENGTH, Floats, Numbers, World

SLOTS = np.array([8, 11, 14, 17, 20])
EXPLORATION = 0.2
"""By the default a log of this size tells little of hours that ours seldom takes; how often it is refused is shown."""
CUSTOMERS = 1000
NIGHTS = {"strong": 100, "flat": 80}
RUNS = 500
CONTROL_SHARE = 0.1
LEARN_ON = frozenset({0, 6, 20, 50})
"""Nights on which the posteriors are taken anew from all that is known."""
NEVER = -1
COVERAGE = (0.93, 0.97)
OTHER_RUNS = 30
DRAWS = 100_000
FULL, FULLER = 0.28, 0.22
"""Room in each hour, as a share of a night's messages: 3% and 12% are repaired."""
FULL_RUNS = 60
FULL_COVERAGE = (0.86, 1.0)
"""95% less three standard errors of so few runs."""
FEASIBLE = np.isin(np.arange(HOURS), SLOTS)
SETTINGS = SchedulingSettings()


@dataclass(frozen=True)
class Run:
    """A log and the truth behind it. rates: (sends, 24), true click probabilities."""

    sends: LoggedSends
    decided: Numbers
    is_random: np.ndarray[Any, np.dtype[np.bool_]]
    rates: Floats


def learned(strength: float) -> HourModel:
    """How customers are alike, from a month of random hours."""
    world, random = World.made(strength, seed=1_000_000), np.random.default_rng(8)
    people = len(world.peak)
    rates, sends, clicks = world.rates(0), *np.zeros((2, people, DAY_TYPES, HOURS))
    for _ in range(30):
        hour = random.choice(SLOTS, people)
        sends[np.arange(people), 0, hour] += 1
        clicks[np.arange(people), 0, hour] += random.random(people) < rates[np.arange(people), hour]
    return HourModel.learn(Counts(sends, clicks, world.segment, np.zeros((people, HOURS))), segments=3)


def logged(model: HourModel, world: World, seed: int, nights: int, exploration: float) -> Run:
    """Nights of the product's policy; what came of a night's sends is known two nights later, and nothing decays."""
    random, people = np.random.default_rng([seed, 7]), len(world.peak)
    who, rates = np.arange(people), world.rates(0)
    feasible = np.broadcast_to(FEASIBLE, (people, HOURS))
    sends, clicks = np.zeros((2, people, DAY_TYPES, HOURS))
    uniform = FEASIBLE / FEASIBLE.sum()
    told: list[tuple[Floats, Numbers, Floats, Any]] = []
    for night in range(nights):
        if night in LEARN_ON:
            posterior = model.posterior(Counts(sends, clicks, world.segment, np.zeros((people, HOURS))), 0)
            shares = policy.winning_shares(posterior, feasible, SETTINGS.boldness)
            chosen = policy.with_exploration(shares, feasible, exploration)
        is_random = random.random(people) < CONTROL_SHARE
        probabilities = np.where(is_random[:, None], uniform, chosen)
        hour = draw(in_millionths(probabilities), random.random(people))
        reward = (random.random(people) < rates[who, hour]).astype(np.float64)
        told.append((probabilities, hour, reward, is_random))
        if night:
            _, known_hour, known_reward, _ = told[night - 1]
            sends[who, 0, known_hour] += 1
            clicks[who, 0, known_hour] += known_reward
    probabilities, hour, reward, is_random = (np.concatenate(arrays) for arrays in zip(*told, strict=True))
    customer = np.tile(who, nights)
    log = LoggedSends(
        customer=customer,
        feasible=np.broadcast_to(FEASIBLE, probabilities.shape),
        probabilities=probabilities,
        action=hour,
        propensity=probabilities[np.arange(len(hour)), hour],
        reward=reward,
    )
    return Run(log, np.repeat(np.arange(nights), people), is_random, rates)


def repaired(run: Run, seed: int, room: float) -> Run:
    """What does not fit into an hour goes to one with room, by chance; its probability is then not known."""
    random, sends = np.random.default_rng([seed, 9]), run.sends
    action, propensity, reward = sends.action.copy(), sends.propensity.copy(), sends.reward.copy()
    for night in range(run.decided[-1] + 1):
        rows = random.permutation(np.flatnonzero(run.decided == night))
        most = int(room * len(rows))
        by_hour = [rows[sends.action[rows] == hour] for hour in SLOTS]
        moved = np.concatenate([at_hour[most:] for at_hour in by_hour])
        left = [max(most - len(at_hour), 0) for at_hour in by_hour]
        action[moved] = random.permutation(np.repeat(SLOTS, left))[: len(moved)]
        propensity[moved] = np.nan
        reward[moved] = random.random(len(moved)) < run.rates[sends.customer[moved], action[moved]]
    return replace(run, sends=replace(sends, action=action, propensity=propensity, reward=reward))


def targets(run: Run) -> dict[str, Floats]:
    """(sends, 24) by policy; a click of one night's send is known to the decisions of the next night but one."""
    sends, nights = run.sends, run.decided[-1] + 1
    clicked = np.where(sends.reward > 0, run.decided + 1, NEVER)
    own = clicks_before(sends.customer, run.decided, sends.action, clicked, NEVER)
    by_night = np.zeros((2, nights + 1, HOURS))
    np.add.at(by_night, (0, run.decided + 1, sends.action), 1)
    np.add.at(by_night, (1, run.decided + 1, sends.action), sends.reward)
    sent, clicks = by_night.cumsum(axis=1)
    return {
        "random_hour": random_hour(sends.feasible, sends.probabilities),
        "modal_hour": best_hour(modal_scores(own, clicks[run.decided]), sends.feasible, sends.probabilities),
        "global_hour": best_hour(rate_scores(clicks, sent)[run.decided], sends.feasible, sends.probabilities),
    }


def reward_model(sends: LoggedSends) -> Floats:
    """(sends, 24), each customer's from the other folds."""
    fold, counts = sends.customer % FOLDS, np.zeros((2, FOLDS, HOURS))
    np.add.at(counts[0], (fold, sends.action), 1)
    np.add.at(counts[1], (fold, sends.action), sends.reward)
    return cross_fitted_rates(*counts)[fold]


@dataclass(frozen=True)
class Place:
    """A world to draw customers from. rates: (24,), true click probabilities of all of them together."""

    name: str
    model: HourModel
    rates: Floats

    @classmethod
    def made(cls, name: str) -> Place:
        everyone = World.made(STRENGTH[name], seed=1_000_001, customers=200_000)
        return cls(name, learned(STRENGTH[name]), everyone.rates(0).mean(axis=0))

    def run(self, seed: int, exploration: float = EXPLORATION) -> Run:
        world = World.made(STRENGTH[self.name], seed, customers=CUSTOMERS)
        return logged(self.model, world, seed, NIGHTS[self.name], exploration)


@dataclass(frozen=True)
class Told:
    """What a run says of one policy. truth: its worth by true rates; ours: that of what was logged, by the rates of the
    run's customers; effective: sends that would tell as much.
    """

    value: Interval | None
    gain: Interval | None
    truth: float
    ours: float
    effective: float


@dataclass(frozen=True)
class Found:
    """told: by policy and estimator. left_out: share of the chosen sends. unguarded: whether IPS, shown or not, holds
    what the shop's best hour is worth.
    """

    told: dict[tuple[str, str], Told]
    left_out: float
    unguarded: bool


def one_run(place: Place, seed: int, exploration: float = EXPLORATION, *, room: float = 1.0) -> Found:
    with threadpool_limits(1):
        run = place.run(seed, exploration)
        if room < 1:
            run = repaired(run, seed, room)
        sound, _ = usable(run.sends, exploration)
        assert room < 1 or sound.all()
        chosen = sound & ~run.is_random
        sends = run.sends.of(chosen)
        _, left_out = usable(run.sends.of(~run.is_random), exploration)
        ours = float((sends.probabilities * run.rates[sends.customer]).sum() / len(sends))
        rates = run.rates[sends.customer]
        rewards, told = reward_model(run.sends)[chosen], {}
        for name, target in targets(run).items():
            totals = PolicyTotals.of(sends, target[chosen], rewards)
            # Only the modal hour knows customers apart.
            worth = target[chosen] * (rates if name == "modal_hour" else place.rates)
            for estimator in Estimator:
                found = totals.value(estimator, left_out=left_out)
                told[name, estimator.value] = _told(found, worth.sum() / len(sends), ours)
            if name == "global_hour":
                unguarded = totals.totals.ratio(*TARGET_RATIO[Estimator.IPS]).interval(CONFIDENCE)
                is_held = unguarded.low <= worth.sum() / len(sends) <= unguarded.high
        experiment = Experiment.of(run.sends.customer, run.is_random, run.sends.reward).value()
        if room < 1:  # by what was meant, wherever it went
            gone = run.rates[run.sends.customer, run.sends.action]
            told["random_hour", "experiment"] = _told(
                experiment, gone[run.is_random].mean(), gone[~run.is_random].mean()
            )
        else:
            told["random_hour", "experiment"] = _told(experiment, place.rates[SLOTS].mean(), ours)
        return Found(told, left_out.share_of(len(sends)), is_held)


def _told(found: PolicyValue, worth: float, ours: float) -> Told:
    return Told(found.value, found.gain, float(worth), float(ours), found.effective_sample_size)


def greedy_run(place: Place, seed: int) -> tuple[float, bool, bool]:
    """A log without a floor: the share left out; taken whole, is it refused, and would its interval hold the truth?"""
    with threadpool_limits(1):
        run = place.run(seed, exploration=0.0)
        chosen = ~run.is_random
        sends = run.sends.of(chosen)
        left_out = usable(sends, EXPLORATION)[1].below_floor / len(sends)
        totals = PolicyTotals.of(
            sends, random_hour(sends.feasible, sends.probabilities), reward_model(run.sends)[chosen]
        )
        unguarded = totals.totals.ratio(*TARGET_RATIO[Estimator.IPS]).interval(CONFIDENCE)
        is_refused = totals.value(Estimator.IPS).problem is not None
        return left_out, is_refused, unguarded.low <= place.rates[SLOTS].mean() <= unguarded.high


def full_hours(place: Place, full: Sequence[Found], fuller: Sequence[Found]) -> list[str]:
    """Print what still has a figure where hours are full, and where they are fuller; what is out of bounds."""
    for found in (full, fuller):
        print(f"{place.name}, hours full: {np.mean([run.left_out for run in found]):.1%} of the sends are left out")
    told = [key for key in full[0].told if key[1] in (Estimator.SNIPS, "experiment")]
    some = [replace(run, told={key: run.told[key] for key in told}) for run in full]
    missed = coverage(place, some, FULL_COVERAGE, least_valued=0.8)
    missed += [
        f"hours fuller: {' '.join(key)} has a figure"
        for key in fuller[0].told
        if key[1] != "experiment" and any(run.told[key].value is not None for run in fuller)
    ]
    held = np.mean([run.unguarded for run in fuller])
    print(f"fuller, IPS, were it shown, would hold what the shop's best hour is worth in {held:.0%}")
    return missed if held <= 0.5 else [*missed, "where hours are fuller IPS would pass: the test proves nothing"]


def coverage(
    place: Place, found: Sequence[Found], bars: tuple[float, float] = COVERAGE, least_valued: float = 0.95
) -> list[str]:
    """Print a line per policy and estimator; what is out of bounds."""
    missed = []
    for key in found[0].told:
        name, estimator = key
        ours = float(np.mean([run.told[key].ours for run in found]))
        truths = np.array([run.told[key].truth for run in found])
        if name == "modal_hour" or estimator == "experiment":
            truths[:] = truths.mean()
        gains = ours - truths if STRENGTH[place.name] else 0 * truths
        valued = [number for number, run in enumerate(found) if run.told[key].value is not None]
        values = [(run.told[key].value, truth) for run, truth in zip(found, truths, strict=True)]
        differences = [(run.told[key].gain, gain) for run, gain in zip(found, gains, strict=True)]
        held = [_share_held(values), _share_held(differences)]
        errors = [interval.value - gain for interval, gain in differences if interval is not None]
        effective = np.median([run.told[key].effective for run in found])
        reach = np.mean([(interval.high - interval.low) / 2 for interval, _ in differences if interval is not None])
        print(
            f"{place.name:7} {name:12} {estimator:10} value held in {held[0]:.1%}, gain in {held[1]:.1%} of "
            f"{len(valued)} runs (true {truths.mean():.4f}, gain {gains.mean():+.4f} ± {reach:.4f}, off by "
            f"{np.mean(errors):+.5f} on average; worth {effective:,.0f} sends)",
            flush=True,
        )
        if len(valued) < least_valued * len(found):
            missed.append(f"{place.name} {name} {estimator}: only {len(valued)} of {len(found)} runs have a figure")
        for what, share in zip(("value", "gain"), held, strict=True):
            if not bars[0] <= share <= bars[1]:
                missed.append(f"{place.name} {name} {estimator}: the {what} is held in {share:.1%}")
    return missed


def _share_held(found: Sequence[tuple[Interval | None, float]]) -> float:
    return float(np.mean([one.low <= truth <= one.high for one, truth in found if one is not None]))


def propensities(place: Place) -> list[str]:
    """χ² over hours of 10⁵ draws for each of ten customers, with the product's own random numbers."""
    run = place.run(5)
    # The last night's, of customers who had been written to for a long time.
    logged_of = run.sends.probabilities[~run.is_random & (run.decided == run.decided[-1])][:10][:, SLOTS]
    statistics, wrong = [], []
    for number, probabilities in enumerate(logged_of):
        uniform = np.array([hash_share(f"draw:{number}", str(one)) for one in range(DRAWS)])
        hours = draw(in_millionths(np.broadcast_to(probabilities, (DRAWS, len(SLOTS)))), uniform)
        drawn = np.bincount(hours, minlength=len(SLOTS))
        statistics.append(chisquare(drawn, probabilities * DRAWS).statistic)
        wrong.append(chisquare(drawn, np.roll(probabilities, 1) * DRAWS).statistic)
    p, p_wrong = (chi2.sf(sum(told), len(told) * (len(SLOTS) - 1)) for told in (statistics, wrong))
    print(f"hours as often as logged: p = {p:.3f} ({DRAWS:,} draws for each of {len(logged_of)} customers)")
    missed = [] if p > 0.001 else [f"hours are not drawn as logged: p = {p:.2g}"]
    return missed if p_wrong < 1e-6 else [*missed, "a wrong log would pass: the test proves nothing"]


def main() -> int:
    """Print every figure; 1 where a bar is missed."""
    started = time.perf_counter()
    strong, flat = (Place.made(name) for name in NIGHTS)
    missed = propensities(strong)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for place in (strong, flat):
            missed += coverage(place, list(pool.map(partial(one_run, place), range(RUNS), chunksize=5)))
        full = list(pool.map(partial(one_run, strong, room=FULL), range(FULL_RUNS)))
        fuller = list(pool.map(partial(one_run, strong, room=FULLER), range(OTHER_RUNS)))
        missed += full_hours(strong, full, fuller)
        by_default = list(pool.map(partial(one_run, strong, exploration=SETTINGS.exploration), range(OTHER_RUNS)))
        greedy = np.mean(list(pool.map(partial(greedy_run, strong), range(OTHER_RUNS))), axis=0)
    for key in by_default[0].told:
        valued = np.mean([run.told[key].value is not None for run in by_default])
        print(f"exploration {SETTINGS.exploration}: {valued:.0%} of the logs say what {' '.join(key)} is worth")
    print(
        f"without a floor {greedy[0]:.1%} of the sends are left out; taken whole, {greedy[1]:.0%} of logs are refused; "
        f"not refused, they would hold the truth of random hours in {greedy[2]:.0%}"
    )
    if greedy[0] < 0.5 or greedy[1] < 1 or greedy[2] > 0.5:
        missed.append("a log without a floor passes: the test proves nothing")
    print(f"{time.perf_counter() - started:.0f} s")
    for line in missed:
        print("MISSED", line, file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

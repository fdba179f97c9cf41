"""Learning the order of candidates from earlier cuts of the same history, and the splits that it is learned on.

A split hides what came later and shows what was known before. Where customers come back, it is a cut in time. Where
they do not, or where nothing has a time stamp, no cut can judge: then a random quarter of every customer's days with
items is hidden instead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender.candidates import find
from include.recommender.history import History, Numbers
from include.recommender.ranker import Lesson, Ranker
from include.recommender.recipe import Recipe
from include.recommender.threads import each
from include.recommender.two_stage import Ordered, Said, TwoStage, blocks, not_to_list

logger = logging.getLogger(__name__)

PURPOSES = (NEXT_PURCHASE, DISCOVERY)
HIDDEN_SHARE = 0.25
MINIMUM_CUSTOMERS = 50
"""With fewer customers who came back, a split says nothing."""
MINIMUM_SHARE = 0.2
"""Of the customers of the three months before a cut, so many must have come back for it to speak for them."""
LATELY_DAYS = 90


@dataclass(frozen=True)
class Split:
    """past: what was known. customer, item: parallel, what each customer bought in the hidden part, each pair once.

    in_time: whether it is a cut in time, at the end of the day of ``past``; else a random part was hidden.
    """

    past: History
    customer: Numbers
    item: Numbers
    in_time: bool

    @property
    def buyers(self) -> Numbers:
        """Customers with anything in the hidden part, ascending."""
        return np.unique(self.customer)

    def relevant(self, purpose: str) -> tuple[Numbers, Numbers]:
        """Customers and items of the hidden part; for discovery, only what its customer had never bought."""
        if purpose != DISCOVERY:
            return self.customer, self.item
        pairs = self.past.pairs
        bought = pairs.bought > 0
        known = pairs.customer[bought] * self.past.items + pairs.item[bought]
        new = ~find(known, self.customer * self.past.items + self.item)[1]
        return self.customer[new], self.item[new]


def cut_at(history: History, day: int, days: int) -> Split:
    """What was known at the end of ``day``, and what was bought in the ``days`` days after."""
    hidden = history.chosen((history.day > day) & (history.day <= day + days) & history.bought)
    pairs = hidden.pairs
    return Split(history.up_to(day), pairs.customer, pairs.item, in_time=True)


def hide_a_part(history: History, seed: int) -> Split:
    """A random quarter of what each customer bought, day by day; the rest is what was known."""
    random = np.random.default_rng(seed).random(len(history.day))
    hidden = (random < HIDDEN_SHARE) & history.bought
    pairs = history.chosen(hidden).pairs
    return Split(history.chosen(~hidden), pairs.customer, pairs.item, in_time=False)


def horizon(history: History, wanted: int) -> int:
    """Days of a hidden part: ``wanted``, or a quarter of a shorter history, at least one."""
    span = 1 + history.today - int(history.day.min(initial=history.today))
    return max(1, min(wanted, span // 4))


def splits(history: History, *, days: int, count: int, seed: int) -> list[Split]:
    """Up to ``count`` splits, the newest first; cuts in time where enough customers came back, else random ones.

    Cuts lie ``days`` days apart, the newest as many before the history's day, so that no hidden parts overlap.
    """
    cuts = []
    for number in range(1, count + 1):
        cut = cut_at(history, history.today - number * days, days)
        lately = cut.past.customer[cut.past.day > cut.past.today - LATELY_DAYS]
        if len(known_buyers(cut)) < max(MINIMUM_CUSTOMERS, MINIMUM_SHARE * len(np.unique(lately))):
            break
        cuts.append(cut)
    if cuts:
        return cuts
    hidden = [hide_a_part(history, seed + number) for number in range(count)]
    return [split for split in hidden if len(known_buyers(split)) >= MINIMUM_CUSTOMERS]


def known_buyers(split: Split) -> Numbers:
    """Customers of whom something was known and who bought in the hidden part, ascending."""
    return np.intersect1d(split.buyers, np.unique(split.past.customer), assume_unique=True)


def drawn(numbers: Numbers, count: int, seed: int | list[int]) -> Numbers:
    """``count`` of ``numbers``, ascending; all where there are no more."""
    if len(numbers) <= count:
        return numbers
    return np.sort(np.random.default_rng(seed).choice(numbers, count, replace=False))


def passes(fitted: TwoStage, split: Split, numbers: Numbers, *, threads: int = 1) -> Iterator[Pass]:
    """The candidates of customers ``numbers`` in order, for each purpose, a block of customers at a time.

    fitted: on the past of the split.
    """
    relevant = {purpose: split.relevant(purpose) for purpose in PURPOSES}
    for block in blocks(len(numbers)):
        past = split.past.of_customers(numbers[block])
        said = fitted.say(past, threads=threads)

        def order(purpose: str, past: History = past, said: Said = said) -> Ordered:
            return fitted.order(past, said, purpose, refused=not_to_list(past, purpose))

        for purpose, ordered in each(order, PURPOSES, threads).items():
            customer = numbers[block][ordered.candidates.customer]
            bought = _bought(relevant[purpose], customer, ordered.candidates.item, past.items)
            yield Pass(purpose, block, ordered, bought)


@dataclass(frozen=True)
class Pass:
    """block: places of the customers among those asked for.

    bought: (candidates,), whether each was bought in the hidden part.
    """

    purpose: str
    block: Numbers
    ordered: Ordered
    bought: NDArray[np.bool_]

    def lesson(self, share: float, seed: int) -> Lesson:
        random = np.random.default_rng([seed, int(self.block[0])])
        return Lesson.of(
            self.ordered.candidates.customer, self.ordered.features, self.bought, share=share, random=random
        )


Lessons = dict[str, list[Lesson]]
"""By purpose."""


def lessons(fitted: TwoStage, split: Split, numbers: Numbers, *, seed: int, threads: int = 1) -> Lessons:
    """From customers ``numbers``; fitted: on the past of the split."""
    told: Lessons = {purpose: [] for purpose in PURPOSES}
    for found in passes(fitted, split, numbers, threads=threads):
        told[found.purpose].append(found.lesson(fitted.recipe.ranker.negative_share, seed))
    return told


def teach(splits: Sequence[Split], recipe: Recipe, *, customers: int, seed: int, threads: int = 1) -> list[Lessons]:
    """Lessons from ``customers`` drawn of each of ``splits``, on whose past the recipe is fitted from nothing.

    To let ALS go on from one cut to the next would save a seventh of the time, and costs discovery about 0.002 of
    nDCG@10 on The Complete Journey.
    """
    started, told = time.perf_counter(), []
    for place, split in enumerate(splits):
        fitted = TwoStage.fit(split.past, recipe, threads=threads)
        numbers = drawn(known_buyers(split), customers, seed + place)
        told.append(lessons(fitted, split, numbers, seed=seed + place, threads=threads))
        seconds = time.perf_counter() - started
        logger.info("%d of %d cuts: learned from %d customers in %.3gs", len(told), len(splits), len(numbers), seconds)
    return told


def _bought(relevant: tuple[Numbers, Numbers], customer: Numbers, item: Numbers, items: int) -> NDArray[np.bool_]:
    keys = np.sort(relevant[0] * items + relevant[1])
    return find(keys, customer * items + item)[1]


def learn(told: Sequence[Lessons], recipe: Recipe, *, threads: int = 1) -> dict[str, Ranker]:
    """A ranker for each purpose that has lessons with anything bought in them."""
    rankers: dict[str, Ranker] = {}
    if not recipe.ranker.rounds:
        return rankers
    for purpose in PURPOSES:
        of_purpose = [lesson for split in told for lesson in split[purpose]]
        if sum(len(lesson.sizes) for lesson in of_purpose) < MINIMUM_CUSTOMERS:
            logger.info("%s: too few customers to learn an order from, so the models are fused", purpose)
            continue
        started = time.perf_counter()
        ranker = Ranker.learn(of_purpose, recipe.ranker, threads=threads)
        if not any(ranker.leans_on().values()):
            logger.info("%s: too little to tell candidates apart by, so the models are fused", purpose)
            continue
        rankers[purpose] = ranker
        logger.info(
            "%s: learned an order from %d candidates in %.3gs",
            purpose,
            sum(len(lesson.relevant) for lesson in of_purpose),
            time.perf_counter() - started,
        )
    return rankers

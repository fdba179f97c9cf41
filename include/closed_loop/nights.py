"""Nights in a row: the day's messages go out, the made-up shop writes its files, the stages run as in the DAG."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Engine

from include.business_time import start_of_day
from include.closed_loop.sending import deliver_day
from include.delivery import process_engagements
from include.features import build_features
from include.landing import load_landing_files
from include.quality import QualityGateFailed, check_data_quality
from include.recommender import generate_recommendations, publish_recommendations, train_recommender
from include.recommender.shards import shard_count
from include.reporting import compute_reports
from include.scheduling import (
    evaluate_policies,
    find_campaigns_to_approve,
    learn_responses,
    learn_send_times,
    schedule_messages,
)
from include.settings import Settings
from include.simulator import World, hour_value, write_day, write_history

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What an experiment may leave out."""

    nights: int
    train_every: int = 7
    """Nights from one training of the recommender to the next; in between, its lists are made anew each night."""
    mend: bool = True
    """When the gate stops a night, land the day again without its defects, as an operator would, and go on."""


@dataclass(frozen=True)
class Night:
    """What one business date came to."""

    business_date: date
    sent: int
    clicked: int
    """So far, in all."""
    planned: int
    stopped: str | None
    """What the gate said, the first time."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By step."""


def play(engine: Engine, settings: Settings, world: World, truth: Path, options: Options, say: Say) -> list[Night]:
    """The world's history, then ``options.nights`` nights from its first, over a migrated and empty database.

    settings.landing and settings.artifacts: folders of the experiment's own. truth: a folder beside them. Run again
    over the same database and folders, it changes nothing. Raises QualityGateFailed where the gate stops a night that
    is not to be mended, or stops it again.
    """
    history = write_history(settings, world)
    say(f"History: {history.customers:,} customers, {history.items:,} items, {history.events:,} events")
    return [_play_night(engine, settings, world, truth, options, number, say) for number in range(options.nights)]


def _play_night(
    engine: Engine, settings: Settings, world: World, truth: Path, options: Options, number: int, say: Say
) -> Night:
    day = world.first_night + timedelta(days=number)
    clock = _StopWatch()
    with clock("delivery"):
        sent = deliver_day(engine, settings, day).sent
    with clock("shop"):
        written = write_day(engine, settings, world, truth, business_date=day)
    stopped = None
    try:
        _load_and_check(engine, settings, day, clock)
    except QualityGateFailed as failed:
        stopped = str(failed)
        say(f"{day}: {stopped}")
        if not options.mend:
            raise
        write_day(engine, settings, world.model_copy(update={"defects": ()}), truth, business_date=day)
        _load_and_check(engine, settings, day, clock)
    planned, clicked = _run_stages(engine, settings, day, clock, train=number % options.train_every == 0)
    night = Night(day, sent, clicked, planned, stopped, clock.seconds)
    value = hour_value(settings, truth)
    share = "" if value.share_of_gain is None else f"; hours {value.share_of_gain:.3f} of the oracle's gain"
    say(
        f"Night {number + 1} of {options.nights}, {day}: {written.events:,} events, {sent:,} sent, {clicked:,} clicked "
        f"so far, {planned:,} planned{share}; {clock.in_words()}"
    )
    return night


def _load_and_check(engine: Engine, settings: Settings, day: date, clock: _StopWatch) -> None:
    with clock("landing"):
        load_landing_files(engine, settings, business_date=day)
        end_of_day = start_of_day(day + timedelta(days=1), settings.business_time_zone)
        process_engagements(engine, settings, as_of=end_of_day)
    with clock("gate"):
        check_data_quality(engine, settings, business_date=day)


def _run_stages(engine: Engine, settings: Settings, day: date, clock: _StopWatch, *, train: bool) -> tuple[int, int]:
    """Messages planned, and people's clicks so far."""
    with clock("features"):
        build_features(engine, settings, business_date=day)
    if train:
        with clock("training"):
            train_recommender(engine, settings, business_date=day)
    with clock("lists"):
        with engine.connect() as connection:
            shards = shard_count(connection, settings, day)
        for shard in range(shards):
            generate_recommendations(engine, settings, business_date=day, shard=shard)
        publish_recommendations(engine, settings, business_date=day)
    with clock("hours"):
        learn_send_times(engine, settings, business_date=day)
        learn_responses(engine, settings, business_date=day)
    with clock("plan"):
        planned = schedule_messages(engine, settings, business_date=day).messages_planned
        # Asked as in the DAG; nobody is there to answer.
        find_campaigns_to_approve(engine, settings, business_date=day)
    with clock("reports"):
        clicked = compute_reports(engine, settings, business_date=day).clicked
        evaluate_policies(engine, settings, business_date=day)
    return planned, clicked


class _StopWatch:
    """Seconds by step, added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - began

    def in_words(self) -> str:
        parts = ", ".join(f"{step} {seconds:.1f}" for step, seconds in self.seconds.items())
        return f"{sum(self.seconds.values()):.1f} s ({parts})"

"""The made-up shop at work: it writes landing files, day by day, and learns of the product only what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow
import pyarrow.compute
from sqlalchemy import Engine

from include.business_time import day_bounds
from include.settings import Settings
from include.simulator import landing_files, shop_files
from include.simulator.activity import EVENT_SCHEMA, events_of
from include.simulator.clock import DayClock
from include.simulator.defects import with_defects
from include.simulator.reactions import ENGAGEMENT_SCHEMA, reactions_to
from include.simulator.sent import read_sent
from include.simulator.shop_files import CONSENT_SCHEMA
from include.simulator.truth import TruthFolder
from include.simulator.world import World

FILE = "simulated"


@dataclass(frozen=True)
class HistorySummary:
    """Rows written for the time before the first night."""

    customers: int
    items: int
    events: int


@dataclass(frozen=True)
class DaySummary:
    """Rows written for a business date, and the messages sent on it."""

    business_date: str
    events: int
    engagements: int
    messages: int


def write_history(settings: Settings, world: World) -> HistorySummary:
    """Landing files of everything before the first night, in the folders of the day before it."""
    day = world.first_night - timedelta(days=1)
    clock = DayClock.of(world, day, settings.business_time_zone)
    who = shop_files.joined_on(world, day)

    def write(table: str, rows: pyarrow.Table) -> int:
        return landing_files.write(settings.landing, table, day, FILE, [rows])

    customers = write("customers", shop_files.customers(world, who, clock))
    items = write("items", shop_files.items(world, settings, day, changed_only=False))
    write("consents", shop_files.consents(world, who, clock))
    write("campaigns", shop_files.campaigns(world))
    events = landing_files.write(settings.landing, "events", day, FILE, _history(world, settings.business_time_zone))
    return HistorySummary(customers, items, events)


def _history(world: World, business_time_zone: str) -> Iterator[pyarrow.Table]:
    yield EVENT_SCHEMA.empty_table()
    for back in range(world.history_days, 0, -1):
        yield events_of(world, world.first_night - timedelta(days=back), business_time_zone)


def write_day(engine: Engine, settings: Settings, world: World, truth: Path, *, business_date: date) -> DaySummary:
    """Landing files of one business date: what the shop's customers did, and how they answered what was sent.

    Call it when the date is over and its messages are out, dates in order; again, it writes the same. truth: the folder
    that the truth about messages is kept in, and reactions still to come. Raises ValueError for a folder that the
    product could read.
    """
    kept = TruthFolder.at(truth, settings)
    clock = DayClock.of(world, business_date, settings.business_time_zone)
    sent = read_sent(engine, settings, world, business_date)
    reactions = reactions_to(world, settings, business_date, sent)
    kept.write_messages(business_date, reactions.truth)

    def due(table: str, schema: pyarrow.Schema, fresh: pyarrow.Table) -> pyarrow.Table:
        return _due(kept, settings, business_date, table, schema, fresh)

    who = shop_files.joined_on(world, business_date)
    own = events_of(world, business_date, settings.business_time_zone)
    answered = due("events", EVENT_SCHEMA, reactions.events)
    # One file, in order of time: which purchases messages caused is not for the product to know.
    events = pyarrow.concat_tables([own, answered]).sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])
    engagements = due("engagements", ENGAGEMENT_SCHEMA, reactions.engagements)
    consents = due("consents", CONSENT_SCHEMA, reactions.consents)
    items = shop_files.items(world, settings, business_date, changed_only=True)

    def write(table: str, name: str, rows: pyarrow.Table) -> int:
        return landing_files.write(settings.landing, table, business_date, name, [rows])

    write("customers", FILE, shop_files.customers(world, who, clock))
    write("items", FILE, items)
    write("consents", FILE, pyarrow.concat_tables([shop_files.consents(world, who, clock), consents]))
    written = write("events", FILE, with_defects(world, business_date, events))
    write("engagements", FILE, engagements)
    return DaySummary(business_date.isoformat(), written, engagements.num_rows, len(sent))


def _due(
    kept: TruthFolder, settings: Settings, day: date, table: str, schema: pyarrow.Schema, fresh: pyarrow.Table
) -> pyarrow.Table:
    """Of fresh rows and those still to come from earlier days, what falls on or before ``day``; the rest is kept."""
    _, end = day_bounds(day, settings.business_time_zone)
    earlier = kept.pending(day - timedelta(days=1), table, schema)
    rows = pyarrow.concat_tables([earlier, fresh]).sort_by([("occurred_at", "ascending"), ("customer_id", "ascending")])
    is_due = pyarrow.compute.less(rows["occurred_at"], pyarrow.scalar(end, schema.field("occurred_at").type))
    kept.write_pending(day, table, rows.filter(pyarrow.compute.invert(is_due)))
    return rows.filter(is_due)

"""The messages that left the house on a day: all that the made-up customers ever learn of the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from include.business_time import day_bounds
from include.db.sql import statement
from include.settings import CHANNELS, Settings
from include.simulator import rates
from include.simulator.chance import Floats, Numbers, Subjects, of_texts
from include.simulator.world import World


@dataclass(frozen=True)
class Sent:
    """Messages, arrays of one entry each. who: customers' numbers. channel: place in CHANNELS. sent_at: seconds since
    1970. items: (messages, most items), numbers, −1 beyond a message's last. load: earlier messages still in mind.
    """

    message_id: NDArray[np.object_]
    campaign_id: NDArray[np.object_]
    who: Numbers
    channel: Numbers
    sent_at: Floats
    items: Numbers
    load: Floats

    def __len__(self) -> int:
        return len(self.message_id)

    def subjects(self) -> Subjects:
        """What the draws about each message go by."""
        return of_texts(self.message_id) if len(self) else np.zeros(0, np.uint64)


def read_sent(engine: Engine, settings: Settings, world: World, day: date) -> Sent:
    """Messages sent within the business day to the world's customers, by ``message_id``."""
    day_start, day_end = day_bounds(day, settings.business_time_zone)
    bound = {
        "day_start": day_start,
        "day_end": day_end,
        "half_life_days": rates.FATIGUE_HALF_LIFE_DAYS,
        "fatigue_days": rates.FATIGUE_DAYS,
    }
    with engine.begin() as connection:
        # Filled a moment ago: planned by what was known of it before, the query takes a hundred times as long.
        connection.execute(text("analyze marketing.messages"))
        rows = connection.execute(statement(__file__, "sent_messages"), bound).all()
    rows = [row for row in rows if _number(row.customer_id, "c", world.customers) >= 0 and row.channel in CHANNELS]
    return Sent(
        message_id=np.array([row.message_id for row in rows], dtype=object),
        campaign_id=np.array([row.campaign_id for row in rows], dtype=object),
        who=np.array([_number(row.customer_id, "c", world.customers) for row in rows], dtype=np.int64),
        channel=np.array([CHANNELS.index(row.channel) for row in rows], dtype=np.int64),
        sent_at=np.array([row.sent_at for row in rows], dtype=np.float64),
        items=_items(world, [row.item_ids for row in rows]),
        load=np.array([row.load for row in rows], dtype=np.float64),
    )


def _items(world: World, lists: Sequence[Sequence[str]]) -> Numbers:
    items = np.full((len(lists), max(map(len, lists), default=1) or 1), -1, dtype=np.int64)
    for row, ids in enumerate(lists):
        known = [number for number in (_number(item_id, "i", world.items) for item_id in ids) if number >= 0]
        items[row, : len(known)] = known
    return items


def _number(name: str, letter: str, count: int) -> int:
    """The number in an id of the world; −1 for an id that is not one."""
    digits = name.removeprefix(letter)
    return int(digits) if name != digits and digits.isdecimal() and int(digits) < count else -1

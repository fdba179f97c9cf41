"""The clocks of all zones over one business day of 23 to 25 hours, as tables that arrays can be looked up in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from include.business_time import day_bounds
from include.simulator.chance import Floats, Numbers
from include.simulator.world import World

STEP_SECONDS = 900
"""No zone changes its clock but on a quarter of an hour."""
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class DayClock:
    """start: seconds since 1970, of the business day's first instant. offsets: (zones, steps), seconds ahead of UTC."""

    day: date
    start: int
    seconds: int
    offsets: Numbers

    @classmethod
    def of(cls, world: World, day: date, business_time_zone: str) -> DayClock:
        return _clock(tuple(zone.time_zone for zone in world.time_zones), day, business_time_zone)

    def local(self, zone: Numbers, instant: Floats) -> tuple[Floats, Numbers]:
        """Hour of the local clock in [0, 24), and 1 on a Saturday or Sunday of the local calendar.

        instant: seconds since 1970, within the day.
        """
        step = np.clip((instant - self.start) // STEP_SECONDS, 0, self.offsets.shape[1] - 1).astype(np.int64)
        wall = instant + self.offsets[zone, step]
        # 1970 began on a Thursday.
        weekday = (wall // DAY_SECONDS + 3) % 7
        return wall % DAY_SECONDS / 3600, (weekday >= 5).astype(np.int64)

    def instant(self, zone: Numbers, hour: Floats) -> Floats:
        """Seconds since 1970, within the day, at which the local clock shows ``hour`` in [0, 24)."""
        first = self.offsets[zone, 0]
        into = (hour * 3600 - (self.start + first)) % DAY_SECONDS % self.seconds
        changed = self.offsets[zone, (into // STEP_SECONDS).astype(np.int64)] - first
        return self.start + np.clip(into - changed, 0, self.seconds - 1)


@lru_cache(maxsize=64)
def _clock(time_zones: tuple[str, ...], day: date, business_time_zone: str) -> DayClock:
    start, end = day_bounds(day, business_time_zone)
    seconds = int((end - start).total_seconds())
    steps = [start + timedelta(seconds=step) for step in range(0, seconds, STEP_SECONDS)]
    offsets = [[int(_offset(ZoneInfo(zone), step).total_seconds()) for step in steps] for zone in time_zones]
    return DayClock(day, int(start.timestamp()), seconds, np.array(offsets))


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    if offset is None:
        raise ValueError(f"{instant} has no offset")
    return offset

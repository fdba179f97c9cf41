"""What the gate of a business date judges: everything since the last date that passed it.

A date that failed, or was left out, stays to be judged until a later one passes, so bad data are not forgotten
overnight. A file is judged if its folder is dated after the last passed date, or if it was loaded after that date was
judged: late, or changed. Landing gives every file it loads the largest ``file_id`` so far, and each date's results keep
the largest that was there, so the same date judged again finds the same files.

Limits: a bad file that was judged when its date passed (with a higher limit in the settings, say) is not judged again;
of an older date that is judged again, what has landed since in its and earlier folders counts; and results written
before files were numbered this way know of no late files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, false, func, or_, select

from include.business_time import day_bounds, start_of_day
from include.db.sql import statement
from include.db.tables import landing_files, quality_results
from include.quality.suites import FEWEST_REFUSED_THAT_STOP

FIRST = "-infinity"
"""The instant since when a first night judges."""
_OLDEST_DAYS = 20 * 365


@dataclass(frozen=True)
class Unjudged:
    """What a night has to judge."""

    business_date: date
    last_passed: date | None
    """None: no earlier date has passed, and all history is to be judged."""
    files: tuple[int, ...]
    """file_ids, in order."""
    newest_file: int
    """The largest file_id in folders up to the business date; 0: there is none."""
    first_night: date
    """The first date the gate ever judged; folders before it are one history."""

    def parameters(self, time_zone: str) -> dict[str, str]:
        """The bound values of the suites' queries."""
        start, end = day_bounds(self.business_date, time_zone)
        if self.last_passed is None:
            since = FIRST
        else:
            since = start_of_day(self.last_passed + timedelta(days=1), time_zone).isoformat()
        return {
            "business_date": self.business_date.isoformat(),
            "day_start": start.isoformat(),
            "day_end": end.isoformat(),
            "time_zone": time_zone,
            "unjudged_since": since,
            "unjudged_files": "{" + ",".join(map(str, self.files)) + "}",
            "newest_file": str(self.newest_file),
            "first_night": self.first_night.isoformat(),
            "oldest_instant": (start - timedelta(days=_OLDEST_DAYS)).isoformat(),
            "fewest_refused_that_stop": str(FEWEST_REFUSED_THAT_STOP),
        }


def find_unjudged(connection: Connection, business_date: date) -> Unjudged:
    passed = connection.execute(statement(__file__, "last_passed"), {"business_date": business_date}).one()
    in_time = landing_files.c.business_date <= business_date
    files = select(landing_files.c.file_id).where(in_time).order_by(landing_files.c.file_id)
    if passed.business_date is not None:
        late = false() if passed.newest_file is None else landing_files.c.file_id > passed.newest_file
        files = files.where(or_(landing_files.c.business_date > passed.business_date, late))
    newest = select(func.coalesce(func.max(landing_files.c.file_id), 0)).where(in_time)
    earlier = quality_results.c.business_date < business_date
    first = connection.execute(select(func.min(quality_results.c.business_date)).where(earlier)).scalar()
    return Unjudged(
        business_date=business_date,
        last_passed=passed.business_date,
        files=tuple(connection.execute(files).scalars()),
        newest_file=connection.execute(newest).scalar_one(),
        first_night=first or business_date,
    )

"""
### Delivery

Reads engagement files and suppresses addresses that bounced, complained or unsubscribed, then sends every planned
message whose hour has come, each once.

**When**: every 10 minutes. A missed run is not made up: the next one sends what is still within its hours, and a
message past its `not_after` is marked `expired`, never sent late.

**What is normal**: most runs send nothing and take seconds. A message whose outcome is unknown (the process died
between the network call and its answer) stays `unknown` and is never sent again by itself: look at `messages.error`.
While a channel is down its messages stay planned, and the next run tries again. A connection pooler must be in session
mode. To reopen an address, set `suppressions.released_at`; a deleted row comes back.

**Replaying a past day**: give `as_of`, and `since` to step through the hours between the two as if they passed now.
Meant for demonstrations and tests on historical data; leave both empty in production.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task
from lamplighter_shared import DEFAULT_ARGS, Tag, marketing_asset, run_stage

INSTANT: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}


@dag(
    schedule=CronDataIntervalTimetable("*/10 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2017, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(minutes=30)},
    tags=[Tag.MARKETING, Tag.DELIVERY],
    doc_md=__doc__,
    params={
        "as_of": Param(None, **INSTANT, title="As of", description="The instant to act at; empty: the clock."),
        "since": Param(None, **INSTANT, title="Since", description="Replay every hour from here to 'as of'."),
    },
)
def deliver_messages() -> None:
    @task(outlets=[marketing_asset("engagements"), marketing_asset("suppressions")])
    def read_engagements() -> dict[str, Any]:
        """Engagement files landed so far into the tables and the suppressions that follow from them."""
        from include.business_time import business_date_of
        from include.delivery import process_engagements
        from include.landing import load_landing_files
        from include.settings import load_settings

        _, as_of = _clock()
        as_of = as_of or datetime.now(UTC)
        today = business_date_of(as_of, load_settings().business_time_zone)
        try:
            loaded = run_stage(load_landing_files, business_date=today, tables=("engagements",))
        finally:
            # One broken file must not keep the unsubscribes of the others from taking effect.
            processed = run_stage(process_engagements, as_of=as_of)
        return loaded | processed

    # Sends even when an engagement file is broken: that task stays red, and due messages have their hours.
    @task(trigger_rule="all_done", outlets=[marketing_asset("messages")])
    def send_due_messages() -> dict[str, Any]:
        """Claim, render and send what is due."""
        from include.delivery import deliver_due_messages

        context = get_current_context()
        since, as_of = _clock()
        return run_stage(
            deliver_due_messages,
            as_of=as_of or datetime.now(UTC),
            since=since,
            worker=f"{context['run_id']}/{context['ti'].try_number}",
            # A live run lasts: each message is sent by the clock at its own turn.
            clock=None if as_of else lambda: datetime.now(UTC),
        )

    read_engagements() >> send_due_messages()


def _clock() -> tuple[datetime | None, datetime | None]:
    """(since, as_of) of the run; (None, None) without parameters: the wall clock, read here at the edge alone."""
    given = get_current_context()["params"]
    since = datetime.fromisoformat(given["since"]) if given.get("since") else None
    as_of = datetime.fromisoformat(given["as_of"]) if given.get("as_of") else None
    if since and not as_of:
        raise ValueError("'since' replays the hours up to 'as of': give both, or neither")
    return since, as_of


deliver_messages()

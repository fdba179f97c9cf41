"""``make demo``: several nights on real purchases through a real Airflow, then the morning report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from include.business_time import day_bounds
from include.db.engine import make_engine
from include.demo import landing_files
from include.demo.journey import TIME_ZONE, Journey
from include.demo.reactions import by_local_date, engagement_frame, purchase_frame, reactions_to, sent_messages
from include.demo.sinks import Sinks, running_sinks
from include.local import commands
from include.local.environment import LocalSettings, remember_settings_file, remembered_settings_file
from include.local.layout import Layout
from include.local.progress import Progress
from include.local.runs import run_dag
from include.local.services import LocalAirflow
from include.settings import Settings

SETTINGS_FILE = Path(__file__).parent / "settings.yaml"
FIRST_NIGHT = date(2017, 11, 28)
NIGHTS = 3
COMMAND = "make demo"


@dataclass(frozen=True)
class Plan:
    """Which nights, over which part of the data."""

    journey: Journey
    nights: tuple[date, ...]

    @classmethod
    def of(cls, nights: int = NIGHTS, households: int | None = None) -> Plan:
        """``nights`` nights in a row from FIRST_NIGHT."""
        days = tuple(FIRST_NIGHT + timedelta(days=number) for number in range(nights))
        return cls(Journey(FIRST_NIGHT, households), days)


def run_demo(layout: Layout, progress: Progress, *, stay: bool, plan: Plan | None = None) -> None:
    """The nights that are not there yet, then the morning report; with ``stay`` the web UI until a signal.

    Raises RunFailed, StartFailed or OtherCommandRuns.
    """
    plan = plan or Plan.of()
    with commands.prepared_house(layout, COMMAND, progress, SETTINGS_FILE) as local:
        if local.settings_file == str(SETTINGS_FILE):
            remember_settings_file(layout, SETTINGS_FILE)
        engine = make_engine(local.settings)
        try:
            with (
                running_sinks(layout.root / "sinks") as sinks,
                commands.airflow_over(layout, COMMAND, local, progress, sink_variables(sinks)) as airflow,
            ):
                _prepare_landing(local.settings, plan, progress)
                missing = [night for night in plan.nights if not is_done(engine, local.settings, night)]
                if len(missing) < len(plan.nights):
                    done = ", ".join(night.isoformat() for night in plan.nights if night not in missing)
                    progress(f"Nights already done, kept as they are: {done}")
                if missing or stay:
                    airflow.start()
                    progress(f"Airflow is up: {airflow.url}")
                for night in missing:
                    run_night(airflow, engine, local.settings, plan.journey, night, progress)
                _say_report(layout, engine, local, plan, progress)
                if stay:
                    commands.serve(layout, airflow, progress)
        finally:
            engine.dispose()


def run_night(
    airflow: LocalAirflow, engine: Engine, settings: Settings, journey: Journey, night: date, progress: Progress
) -> None:
    """One business date: its purchases land, the night runs, the messages of the next day go out, people react."""
    send_date = night + timedelta(days=1)
    progress(f"Night of {night:%A, %d %B %Y}")
    landing_files.write_day(settings.landing, journey, night)
    began = time.monotonic()
    run_dag(airflow.client, "nightly_marketing", {"business_date": night.isoformat()}, progress, airflow.check_alive)
    progress(f"  nightly_marketing: {time.monotonic() - began:.0f} s")
    run_dag(airflow.client, "deliver_messages", delivery_hours(send_date), progress, airflow.check_alive)
    messages, engagements, purchases = land_reactions(engine, settings, send_date)
    progress(
        f"  {messages} messages sent on {send_date}; {engagements} reactions and {purchases} purchases "
        "made up by the generator"
    )


def delivery_hours(send_date: date) -> dict[str, str]:
    """Parameters of ``deliver_messages`` that replay ``send_date``: from its first to its last full hour."""
    start, end = day_bounds(send_date, TIME_ZONE)
    zone = ZoneInfo(TIME_ZONE)
    last_hour = end - timedelta(hours=1)
    return {"since": start.astimezone(zone).isoformat(), "as_of": last_hour.astimezone(zone).isoformat()}


def land_reactions(engine: Engine, settings: Settings, send_date: date) -> tuple[int, int, int]:
    """Write the generated reactions to the messages of ``send_date`` as landing files of the days they fall on.

    Returns the numbers of messages, engagements and purchases. The file of ``send_date`` itself comes last, even when
    it is empty: it says that the date is complete.
    """
    sent = sent_messages(engine, send_date)
    reactions = reactions_to(sent)
    for day, rows in by_local_date(reactions.purchases).items():
        name = f"generated_purchases_{send_date}.csv"
        landing_files.write_file(settings.landing, "events", day, name, purchase_frame(rows))
    nothing: dict[date, list[dict[str, Any]]] = {send_date: []}
    engagements = nothing | by_local_date(reactions.engagements)
    for day in sorted(engagements, reverse=True):
        landing_files.write_file(
            settings.landing, "engagements", day, _reactions_file(send_date), engagement_frame(engagements[day])
        )
    return len(sent), len(reactions.engagements), len(reactions.purchases)


def is_done(engine: Engine, settings: Settings, night: date) -> bool:
    """Whether the night was reported, its messages have gone out and the reactions have landed."""
    send_date = night + timedelta(days=1)
    if not landing_files.exists(settings.landing, "engagements", send_date, _reactions_file(send_date)):
        return False
    statement = text(
        "select exists (select from marketing.campaign_results where business_date = :night)"
        " and not exists (select from marketing.messages where send_date = :send_date and state = 'planned')"
    )
    with engine.connect() as connection:
        return bool(connection.execute(statement, {"night": night, "send_date": send_date}).scalar_one())


@contextmanager
def sinks_of_the_demo(layout: Layout, local: LocalSettings) -> Iterator[dict[str, str]]:
    """The local mail and push sinks around ``make web``, where the data are the demo's; nothing otherwise."""
    if local.settings_file is None or local.settings_file != remembered_settings_file(layout):
        yield {}
        return
    with running_sinks(layout.root / "sinks") as sinks:
        yield sink_variables(sinks)


def _reactions_file(send_date: date) -> str:
    return f"reactions_{send_date}.csv"


def sink_variables(sinks: Sinks) -> dict[str, str]:
    """Wherever the user's settings point, the demo's invented addresses are written to the sinks alone."""
    return {
        "LAMPLIGHTER_DELIVERY__SMTP_HOST": "127.0.0.1",
        "LAMPLIGHTER_DELIVERY__SMTP_PORT": str(sinks.smtp_port),
        "LAMPLIGHTER_DELIVERY__SMTP_SECURITY": "none",
        "LAMPLIGHTER_DELIVERY__PUSH_URL": sinks.push_url,
    }


def _prepare_landing(settings: Settings, plan: Plan, progress: Progress) -> None:
    progress("Landing files: The Complete Journey, history up to the day before the first night")
    written = landing_files.write_history(settings.landing, plan.journey)
    # One day more than is run, so that a night by hand has data of its own.
    landing_files.write_day(settings.landing, plan.journey, plan.nights[-1] + timedelta(days=1))
    progress(f"Landing files: {written} written in {settings.landing}" if written else "Landing files: all there")


def _say_report(layout: Layout, engine: Engine, local: LocalSettings, plan: Plan, progress: Progress) -> None:
    from include.reporting.morning import morning_report

    last = plan.nights[-1]
    progress.text()
    progress.text(morning_report(engine, local.settings, business_date=last))
    progress.text()
    progress.text("Where to look:")
    progress.text(f"  the mails and pushes as they were sent   {layout.root / 'sinks'}")
    progress.text("  the tables                               psql of your choice with `make db-url`")
    progress.text("  the Marketing page in Airflow            `make web`, then Marketing in the navigation")
    progress.text(f"  one more night                           make night DATE={last + timedelta(days=1)}")

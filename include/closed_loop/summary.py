"""What was true beside what was reported, in words."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, select

from include.business_time import start_of_day
from include.db.sql import statement
from include.db.tables import CHOSEN, RANDOM_HOUR, campaign_lift, campaign_results, policy_values
from include.reporting.formats import estimator_label
from include.scheduling.policy_log import WINDOW_DAYS
from include.settings import Settings
from include.simulator import TrueEffect, hour_value, true_effects

METRIC = "margin_per_customer"
LAST_DAYS = 14
CLICK_WINDOW = timedelta(hours=24)
"""Of the clicks that policies are valued by."""


def summary(engine: Engine, settings: Settings, truth: Path, *, business_date: date) -> str:
    """Lines of text: hours against the oracle's, what they truly gain over random ones beside what the log says by each
    estimator and by the control of random hours, and every campaign's true effect beside its reported one.

    business_date: the last night that was run. All of it is made up, and the text says so.
    """
    lines = [f"Truth and report as of {business_date} (customers, purchases and answers are made up)"]
    lines += ["", *_hours(settings, truth, business_date)]
    lines += ["", "Clicks gained over random hours, per 100 messages, within a day of sending"]
    lines += _gains(engine, settings, truth, business_date)
    lines += ["", "Margin per customer, treated less control", *_effects(engine, settings, truth, business_date)]
    return "\n".join(lines)


def _hours(settings: Settings, truth: Path, business_date: date) -> list[str]:
    since = start_of_day(business_date - timedelta(days=LAST_DAYS - 1), settings.business_time_zone)
    lines = []
    for name, value in (
        ("all", hour_value(settings, truth)),
        (f"last {LAST_DAYS} days", hour_value(settings, truth, since=since)),
    ):
        share = "no hour is better than another" if value.share_of_gain is None else f"{value.share_of_gain:.3f}"
        lines.append(
            f"Share of the oracle's gain in hours, {name}: {share}   ({value.messages:,} messages; clicks expected "
            f"{value.chosen:,.1f}, at random hours {value.random:,.1f}, at the best {value.best:,.1f})"
        )
    return lines


def _gains(engine: Engine, settings: Settings, truth: Path, business_date: date) -> list[str]:
    """The true gain, at random hours of the same channel; and each estimate of it."""
    bound = {
        "business_date": business_date,
        "window_days": WINDOW_DAYS,
        "end_of_day": start_of_day(business_date + timedelta(days=1), settings.business_time_zone),
        "chosen": CHOSEN,
    }
    of_date = policy_values.c.business_date == business_date, policy_values.c.policy == RANDOM_HOUR
    with engine.connect() as connection:
        chosen = set(connection.execute(statement(__file__, "chosen_sends"), bound).scalars())
        rows = connection.execute(select(policy_values).where(*of_date).order_by(policy_values.c.estimator)).all()
    true = hour_value(settings, truth, of=chosen).gain_within(CLICK_WINDOW)
    lines = [f"  {'estimator':<14} {'gain':>9}  {'interval':<20} verdict", f"  {'true':<14} {_per_hundred(true):>9}"]
    for row in rows:
        limits = row.difference_low, row.difference_high
        interval = "" if row.difference is None else f"[{', '.join(map(_per_hundred, limits))}]"
        lines.append(
            f"  {estimator_label(row.estimator):<14} {_per_hundred(row.difference):>9}  {interval:<20} {row.verdict}"
        )
    return lines


def _per_hundred(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.3f}"


def _effects(engine: Engine, settings: Settings, truth: Path, business_date: date) -> list[str]:
    effects = _true_effects(engine, settings, truth, business_date)
    reported = campaign_lift.c.business_date == business_date, campaign_lift.c.metric == METRIC
    sends = campaign_results.c.business_date == business_date, campaign_results.c.channel == "all"
    with engine.connect() as connection:
        lift = {row.campaign_id: row for row in connection.execute(select(campaign_lift).where(*reported))}
        sent = {
            row.campaign_id: row
            for row in connection.execute(select(campaign_results).where(*sends, campaign_results.c.arm == "treated"))
        }
    lines = [
        f"  {'campaign':<14} {'sent':>8} {'clicked':>8} {'true':>9} {'happened':>9} {'reported':>9}  "
        f"{'interval':<20} verdict"
    ]
    for effect in effects:
        row, results = lift.get(effect.campaign_id), sent.get(effect.campaign_id)
        counts = f"{results.sent if results else 0:>8,} {results.clicked if results else 0:>8,}"
        lines.append(
            f"  {effect.campaign_id:<14} {counts} {effect.difference:>9.4f} {effect.happened:>9.4f} "
            + ("no report" if row is None else f"{_number(row.difference)}  {_interval(row):<20} {row.verdict}")
        )
    return lines


def _number(value: float | None) -> str:
    return f"{value:>9.4f}" if value is not None else f"{'–':>9}"


def _interval(row: pd.Series | object) -> str:
    low, high = getattr(row, "ci_low", None), getattr(row, "ci_high", None)
    return "" if low is None or high is None else f"[{low:.4f}, {high:.4f}]"


def _true_effects(engine: Engine, settings: Settings, truth: Path, business_date: date) -> list[TrueEffect]:
    with engine.connect() as connection:
        rows = connection.execute(statement(__file__, "first_arms"), {"business_date": business_date}).mappings().all()
    arms = pd.DataFrame(rows, columns=["campaign_id", "customer_id", "business_date", "is_treated"])
    zone = settings.business_time_zone
    starts = {day: start_of_day(day + timedelta(days=1), zone) for day in arms["business_date"].unique()}
    arms["assigned_at"] = pd.to_datetime(arms["business_date"].map(starts), utc=True)
    end = start_of_day(business_date + timedelta(days=1), zone)
    return true_effects(settings, truth, arms.drop(columns="business_date"), before=end)

"""What customers did, up to the end of a business date, as profiles and weighted interactions.

The work is set-based SQL in ``sql/``. Events of the days that are new or changed are read once and become daily
aggregates (``daily_*``); totals (``*_totals`` and the like) move by the difference between a day's former and present
aggregates, so a night costs what its days brought and not what history holds. Weights are decayed forward (Cormode et
al. 2009): 2^((day - landmark) / half-life) is added once and never touched; readers scale by the age of the landmark.
All sums are of whole numbers and decimals, so they are exact whatever the order of what came and went.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from include.business_time import day_bounds
from include.db.locks import lock
from include.db.sql import source, statement
from include.db.tables import (
    EVENT_TYPES,
    LONGEST_NAME,
    customer_features,
    customer_hours,
    customer_tastes,
    customer_totals,
    daily_activity,
    daily_habits,
    daily_interactions,
    daily_prices,
    feature_state,
    interaction_totals,
    interactions,
    item_features,
    item_prices,
    item_totals,
)
from include.features.forecast import forecast_orders
from include.features.indexes import filled_without_indexes
from include.features.state import (
    Start,
    daily_fingerprint,
    newest_file_id,
    read_state,
    start_of,
    totals_fingerprint,
)
from include.settings import Settings

logger = logging.getLogger(__name__)

# A customer's stage of life is the first of these that holds; the thresholds are settings, ``features.lifecycle``. Days
# are business days, and the interval is the mean number of days between the customer's purchase days in the window.
#   prospect     never bought
#   new          bought for the first time less than new_days ago
#   lapsed       bought nothing in the profile window, or nothing for more than both lapsed_days and lapsed_intervals
#                intervals
#   at_risk      bought nothing for more than both at_risk_days and at_risk_intervals intervals
#   reactivated  bought less than new_days ago, after a silence that had made them lapsed, by the interval before it
#   active       anyone else
# A customer's segment is the stage, save that a prospect is called no_purchase, and those reactivated and active are
#   loyal        on at least LOYAL_PURCHASE_DAYS days in the window, at an interval of at most LOYAL_INTERVAL_DAYS
#   regular      anyone else
LOYAL_PURCHASE_DAYS = 12
LOYAL_INTERVAL_DAYS = 7

# A customer's price level is the mean, over items and days bought in the profile window, of the share of the category's
# purchases that went to cheaper items. All purchases together have the mean 0.5, and a mean over many of them lies near
# it, hence the narrow band: on a year of grocery baskets of 2,469 households it holds about half of them.
LOW_PRICE_BELOW = 0.45
HIGH_PRICE_ABOVE = 0.55

BARGAIN_STRENGTH = 50
"""The mean share of bargains counts like so many purchases of a customer's own."""

WORK_MEMORY = "256MB"
"""Postgres' work_mem for this stage; the sort of a million events fits."""

RANDOM_PAGE_COST = "1.1"
"""Times a page in sequence. Postgres' 4 is a spinning disk's: by it a night would rather scan all history."""

STATISTICS_TARGET = "20"
"""Of 6,000 rows drawn, not Postgres' 30,000: this stage's joins are on keys, and the figures it needs are coarse."""

LOCK_NAME = "lamplighter.features"


@dataclass(frozen=True)
class FeatureSummary:
    """Rows written for one business date."""

    business_date: str
    customers: int
    items: int
    interactions: int
    forecast: str
    """What the churn probability and the expected value were learned from, or why they are missing."""


def build_features(engine: Engine, settings: Settings, *, business_date: date) -> FeatureSummary:
    """Write the profiles of customers and items and the weighted interactions as of the end of ``business_date``.

    Reads events that occurred before the end of the date in the business's zone, whenever they landed: those of days
    that loads since the last build changed (``changed_event_days``), of new days, and of customers whose zone changed.
    Replaces the date's rows of ``customer_features`` and ``item_features``, and what the view ``interactions`` shows,
    in one transaction: readers see the former rows until it commits, and a build that runs at the same time waits for
    this one. A load that commits meanwhile is not seen at all, and comes in with the next build. An earlier date, or
    other weights, half-lives or windows, begin the totals anew from the daily aggregates.
    Prices and stock are the catalogue's at the build of the newest date; an earlier date keeps those written then.

    A weight is the sum, over distinct business days and event types, of the type's weight, halved with every
    ``half_life_days`` of age: how often a customer came back says more than how many pieces were in a basket. The
    columns' rules stand at their statements in ``sql/`` and above.

    Raises ValueError when ``features.event_weights`` or ``features.event_half_life_days`` names an unknown event type,
    or a weight is not finite.
    """
    _check(settings)
    with _one_state(engine) as connection:
        return _build(connection, settings, business_date)


def rebuild_features(engine: Engine, settings: Settings, *, business_date: date | None = None) -> FeatureSummary:
    """Forget the daily aggregates and all totals, and build ``business_date`` from events alone.

    In one transaction, too: what was stays when it fails. Readers of ``interactions`` wait for its end.
    business_date: None is the date of the last build. Raises ValueError when there is neither.
    """
    _check(settings)
    with _one_state(engine) as connection:
        state = read_state(connection)
        if business_date is None:
            if state is None:
                raise ValueError("no features were ever built: name a date, for example DATE=2017-11-30")
            business_date = state["business_date"]
        connection.execute(delete(feature_state))
        return _build(connection, settings, business_date)


@contextmanager
def _one_state(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees the data as they are when no other build runs any more, and no later change.

    The lock has a connection of its own: waiting for it takes a snapshot, which would be of before the other build's
    end. Nobody but the build writes what it writes, so no other transaction can come in its way.
    """
    with engine.begin() as holder:
        lock(holder, LOCK_NAME)
        with engine.execution_options(isolation_level="REPEATABLE READ").begin() as connection:
            yield connection


def _build(connection: Connection, settings: Settings, business_date: date) -> FeatureSummary:
    connection.execute(select(func.set_config("work_mem", WORK_MEMORY, True)))
    connection.execute(select(func.set_config("random_page_cost", RANDOM_PAGE_COST, True)))
    connection.execute(select(func.set_config("default_statistics_target", STATISTICS_TARGET, True)))
    newest = newest_file_id(connection)
    start = start_of(read_state(connection), settings, business_date)
    parameters = _parameters(settings, business_date, start, newest)
    _run(connection, "create_staging_tables", {})
    _read_days(connection, start, parameters)
    if start.aggregated_until is None:
        with filled_without_indexes(connection, daily_interactions, daily_activity, daily_habits, daily_prices):
            _run(connection, "clear_days", parameters)
            _aggregate_days(connection, start, parameters)
    else:
        _retract_days(connection, parameters)
        _aggregate_days(connection, start, parameters)
    _warn_of_replaced_zones(connection, settings)
    _count(connection, start, parameters)
    forecast = forecast_orders(connection, parameters)
    _run(connection, "write_feature_state", parameters)
    _run(connection, "remember_catalogue", parameters)
    return FeatureSummary(
        business_date=business_date.isoformat(),
        customers=_replace(connection, customer_features, business_date, parameters),
        items=_replace(connection, item_features, business_date, parameters),
        interactions=connection.execute(select(func.count()).select_from(interactions)).scalar_one(),
        forecast=forecast.said,
    )


def _read_days(connection: Connection, start: Start, parameters: dict[str, Any]) -> None:
    """Events of the days to aggregate anew, into read_events, without those that the quality gate sets aside."""
    _run(connection, "find_exclusions", parameters)
    if start.aggregated_until is not None:
        _run(connection, "find_days", parameters)
    _run(connection, "forget_exclusions", parameters)
    _run(connection, "remember_exclusions", parameters)
    if start.aggregated_until is None:
        # All of them, in one range that the planner knows to be all.
        _run(connection, "read_events", parameters | {"range_from": "-infinity", "range_until": "infinity"})
    else:
        if _run(connection, "find_moved_customers", parameters):
            _run(connection, "find_days_of_moved_customers", parameters)
        ranges = connection.execute(statement(__file__, "select_ranges"), parameters).all()
        for range_from, range_until in ranges:
            _run(connection, "read_events", parameters | {"range_from": range_from, "range_until": range_until})
    connection.execute(text("analyze read_days, read_events"))


def _retract_days(connection: Connection, parameters: dict[str, Any]) -> None:
    """Take the days read out of the daily tables; what the totals hold of them goes to the staged changes."""
    _run(connection, "retract_interactions", parameters)
    _run(connection, "retract_activity", parameters)
    _run(connection, "retract_habits", parameters)
    _run(connection, "retract_prices", parameters)


def _aggregate_days(connection: Connection, start: Start, parameters: dict[str, Any]) -> None:
    """The daily tables of the days read."""
    _run(connection, "number_customers", parameters)
    _run(connection, "number_items", parameters)
    if start.aggregated_until is None:
        connection.execute(text("analyze marketing.feature_customers, marketing.feature_items"))
    _run(connection, "number_events", parameters)
    connection.execute(text("analyze numbered_events"))
    with _grouped_by_sorting(connection):
        _run(connection, "aggregate_interactions", parameters)
        _run(connection, "aggregate_activity", parameters)
    _run(connection, "aggregate_habits", parameters)
    _run(connection, "aggregate_prices", parameters)
    if start.aggregated_until is None:
        connection.execute(
            text(
                "analyze marketing.daily_interactions, marketing.daily_activity, marketing.daily_habits,"
                " marketing.daily_prices"
            )
        )


def _count(connection: Connection, start: Start, parameters: dict[str, Any]) -> None:
    """Bring the totals to the end of the business date: anew, or by what its days changed."""
    if start.counted_until is None:
        _count_anew(connection, start, parameters)
    else:
        _count_on(connection, parameters)
    _run(connection, "write_customer_shares", parameters)


def _count_anew(connection: Connection, start: Start, parameters: dict[str, Any]) -> None:
    """Fill the totals from the whole of the daily tables."""
    # Whole tables are joined, which no index makes faster; the planner, who knows few of the views' figures, would try.
    connection.execute(select(func.set_config("enable_nestloop", "off", True)))
    _run(connection, "show_changes", parameters)
    _run(connection, "clear_inner_totals", parameters)
    _run(connection, "weigh_days", parameters)
    _run(connection, "touch_customers", parameters)
    _run(connection, "update_items", parameters)
    connection.execute(text("analyze day_weights, touched_customers"))
    if start.is_shown:
        _run(connection, "clear_totals", parameters)
        _fill_pairs(connection, parameters)
    else:
        with filled_without_indexes(connection, interaction_totals):
            _run(connection, "empty_totals", parameters)
            _fill_pairs(connection, parameters)
    with filled_without_indexes(connection, item_totals, item_prices, customer_totals, customer_hours, customer_tastes):
        _fill(connection, "add_item_totals", parameters)
        _fill(connection, "add_item_prices", parameters)
        _fill(connection, "add_category_tastes", parameters)
        _fill(connection, "add_habit_tastes", parameters)
        with _grouped_by_sorting(connection):
            _fill(connection, "add_customer_hours", parameters)
            _fill(connection, "add_customer_totals", parameters)
    connection.execute(
        text(
            "analyze marketing.interaction_totals, marketing.item_totals, marketing.item_prices,"
            " marketing.customer_totals, marketing.customer_hours, marketing.customer_tastes"
        )
    )
    _run(connection, "find_medians", parameters)
    _count_bargains(connection, parameters)
    _move_price_levels(connection, parameters)
    _run(connection, "hide_changes", parameters)
    connection.execute(select(func.set_config("enable_nestloop", "on", True)))


def _fill_pairs(connection: Connection, parameters: dict[str, Any]) -> None:
    with _grouped_by_sorting(connection):
        _run(connection, "change_pairs", parameters)
    connection.execute(text("analyze pair_changes"))
    _fill(connection, "add_interaction_totals", parameters)


def _count_on(connection: Connection, parameters: dict[str, Any]) -> None:
    """Move the totals by the difference between the days' former and present rows."""
    _run(connection, "stage_interaction_changes", parameters)
    _run(connection, "stage_activity_changes", parameters)
    _run(connection, "stage_habit_changes", parameters)
    _run(connection, "stage_price_changes", parameters)
    connection.execute(text("analyze interaction_changes, activity_changes, habit_changes, price_changes"))
    _run(connection, "weigh_days", parameters)
    connection.execute(text("analyze day_weights"))
    _run(connection, "touch_customers", parameters)
    _run(connection, "move_tastes", parameters)
    _run(connection, "update_items", parameters)
    _move_pairs(connection, parameters)
    _move_customers(connection, parameters)
    _move_price_levels(connection, parameters)
    _run(connection, "drop_empty_items", parameters)
    _run(connection, "drop_empty_customers", parameters)
    _run(connection, "forget_shares", parameters)


def _move_price_levels(connection: Connection, parameters: dict[str, Any]) -> None:
    _run(connection, "find_permilles", parameters)
    connection.execute(text("analyze moved_permilles"))  # few are looked up by index, many by a scan
    _run(connection, "move_price_levels", parameters)


def _count_bargains(connection: Connection, parameters: dict[str, Any]) -> None:
    _run(connection, "find_bargain_prices", parameters)
    connection.execute(text("analyze bargain_moves"))
    _run(connection, "count_bargains", parameters)
    _run(connection, "move_bargain_prices", parameters)


def _move_pairs(connection: Connection, parameters: dict[str, Any]) -> None:
    _run(connection, "change_pairs", parameters)
    connection.execute(text("analyze pair_changes, touched_customers"))
    _run(connection, "add_item_totals", parameters)
    _run(connection, "add_interaction_totals", parameters)
    _run(connection, "drop_empty_pairs", parameters)
    _run(connection, "correct_latest_events", parameters)
    _run(connection, "correct_latest_purchases", parameters)
    _run(connection, "add_item_prices", parameters)
    _run(connection, "drop_empty_prices", parameters)
    _run(connection, "find_medians", parameters)
    _run(connection, "add_category_tastes", parameters)
    _run(connection, "add_habit_tastes", parameters)


def _move_customers(connection: Connection, parameters: dict[str, Any]) -> None:
    _run(connection, "add_customer_hours", parameters)
    _run(connection, "add_customer_totals", parameters)
    _run(connection, "correct_purchase_bounds", parameters)
    _count_bargains(connection, parameters)
    _run(connection, "drop_empty_tastes", parameters)


def _parameters(settings: Settings, business_date: date, start: Start, newest: int) -> dict[str, Any]:
    """The bound values of all statements; each takes what it names.

    newest: the newest load in sight. Days before which nothing counts are given as Postgres' -infinity.
    """
    features = settings.features
    window = timedelta(days=features.profile_days)
    return {
        "business_date": business_date,
        "window_start": business_date - window,
        "aggregated_until": start.aggregated_until,
        "former_date": start.counted_until or "-infinity",
        "former_window_start": start.counted_until - window if start.counted_until else "-infinity",
        "known_file_id": start.known_file_id,
        "newest_file_id": newest,
        "landmark": start.landmark,
        "scale": 2.0 ** ((start.landmark - business_date).days / features.half_life_days),
        "daily_fingerprint": daily_fingerprint(settings),
        "totals_fingerprint": totals_fingerprint(settings),
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
        "business_time_zone": settings.business_time_zone,
        "customer_time_zone": settings.customer_time_zone,
        "longest_name": LONGEST_NAME,
        "event_types": list(EVENT_TYPES),
        "purchase_no": EVENT_TYPES.index("purchase") + 1,
        "event_weights": [float(features.event_weights.get(name, 0.0)) for name in EVENT_TYPES],
        "event_half_lives": [features.event_half_life_days.get(name, features.half_life_days) for name in EVENT_TYPES],
        "half_life_days": features.half_life_days,
        "favourite_categories": features.favourite_categories,
        **features.lifecycle.model_dump(),
        "loyal_purchase_days": LOYAL_PURCHASE_DAYS,
        "loyal_interval_days": LOYAL_INTERVAL_DAYS,
        "forecast_days": features.forecast_days,
        "bargain_below": features.bargain_below,
        "bargain_strength": BARGAIN_STRENGTH,
        "low_price_below": LOW_PRICE_BELOW,
        "high_price_above": HIGH_PRICE_ABOVE,
    }


def _check(settings: Settings) -> None:
    """Raises ValueError when a setting names an event type that no event has, or a weight is not finite."""
    for setting, given in (
        ("event_weights", settings.features.event_weights),
        ("event_half_life_days", settings.features.event_half_life_days),
    ):
        unknown = sorted(set(given) - set(EVENT_TYPES))
        if unknown:
            raise ValueError(
                f"features.{setting} names {', '.join(unknown)}, which no event has; "
                f"event types: {', '.join(EVENT_TYPES)}"
            )
        for event_type, value in given.items():
            if not math.isfinite(value):
                raise ValueError(f"features.{setting}.{event_type} is {value}; give it a finite number")


def _replace(connection: Connection, table: Table, business_date: date, parameters: dict[str, Any]) -> int:
    """Delete the rows of ``business_date`` and write the new ones; how many.

    Not TRUNCATE: it would lock readers out, and one with an older snapshot would find the table empty.
    """
    connection.execute(delete(table).where(table.c.business_date == business_date))
    rows = _run(connection, f"write_{table.name}", parameters)
    # The next stage's plans depend on the figures; nobody looks into an array, whose figures take most of the time.
    looked_at = ", ".join(column.name for column in table.columns if not isinstance(column.type, ARRAY))
    connection.execute(text(f"analyze {table.fullname} ({looked_at})"))
    return rows


def _warn_of_replaced_zones(connection: Connection, settings: Settings) -> None:
    replaced = connection.execute(
        text(
            "select customers.time_zone, count(*)"
            " from marketing.customers inner join marketing.feature_customers using (customer_id)"
            " where customers.time_zone <> feature_customers.time_zone"
            " group by customers.time_zone order by 2 desc, 1"
        )
    ).all()
    if replaced:
        logger.warning(
            "%d customers have a time_zone that Postgres does not know (%s); their hours are taken in %s. "
            "Write IANA names such as America/New_York in the customers file",
            sum(count for _, count in replaced),
            ", ".join(repr(zone) for zone, _ in replaced[:3]),
            settings.customer_time_zone,
        )


@contextmanager
def _grouped_by_sorting(connection: Connection) -> Iterator[None]:
    """Nearly as many groups as rows: sorted, they take a fraction of the room and less time than in a hash table.

    What they fill then lies in the order of its groups, and a day's or a customer's rows on few pages.
    """
    connection.execute(select(func.set_config("enable_hashagg", "off", True)))
    yield
    connection.execute(select(func.set_config("enable_hashagg", "on", True)))


def _fill(connection: Connection, name: str, parameters: dict[str, Any]) -> None:
    """Run ``sql/<name>.sql`` up to its conflicts: into an empty table there are none, and no index to see them by."""
    started = time.perf_counter()
    insertion, _, _ = source(__file__, name).partition("\non conflict ")
    rows = connection.execute(text(insertion), parameters).rowcount
    logger.info("%s: %d rows in %.3gs", name, rows, time.perf_counter() - started)


def _run(connection: Connection, name: str, parameters: dict[str, Any]) -> int:
    """Run ``sql/<name>.sql``; rows written."""
    started = time.perf_counter()
    rows = connection.execute(statement(__file__, name), parameters).rowcount
    if parameters:
        logger.info("%s: %d rows in %.3gs", name, rows, time.perf_counter() - started)
    return rows

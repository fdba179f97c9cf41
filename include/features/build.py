"""What customers did, up to the end of a business date, as profiles and weighted interactions.

The work is set-based SQL in ``sql/``: the staging statements read events, customers and items once into temporary
tables, and the three tables others rely on are computed from those, so that they always agree with each other.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, select, text

from include.business_time import day_bounds
from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import EVENT_TYPES, customer_features, interactions, item_features
from include.settings import Settings

logger = logging.getLogger(__name__)

# A customer's segment is the first of these that holds. Days are business days. The interval is the mean number of days
# between the customer's own purchase days in the profile window; USUAL_INTERVAL_DAYS with fewer than two of them.
#   no_purchase  never bought
#   new          bought for the first time less than NEW_DAYS ago
#   lapsed       bought nothing in the profile window, or nothing for more than both LAPSED_DAYS and LAPSED_INTERVALS
#                intervals
#   at_risk      bought nothing for more than both AT_RISK_DAYS and AT_RISK_INTERVALS intervals
#   loyal        on at least LOYAL_PURCHASE_DAYS days in the window, at an interval of at most LOYAL_INTERVAL_DAYS
#   regular      anyone else
NEW_DAYS = 30
LAPSED_DAYS = 60
LAPSED_INTERVALS = 6
AT_RISK_DAYS = 14
AT_RISK_INTERVALS = 3
LOYAL_PURCHASE_DAYS = 12
LOYAL_INTERVAL_DAYS = 7
USUAL_INTERVAL_DAYS = 30

# A customer's price level is the mean, over items and days bought in the profile window, of the share of the category's
# purchases that went to cheaper items. All purchases together have the mean 0.5, and a mean over many of them lies near
# it, hence the narrow band: on a year of grocery baskets of 2,469 households it holds about half of them.
LOW_PRICE_BELOW = 0.45
HIGH_PRICE_ABOVE = 0.55

WORK_MEMORY = "128MB"
"""Postgres' work_mem for this stage; the sort of a million events fits."""

LOCK_NAME = "lamplighter.features"


@dataclass(frozen=True)
class FeatureSummary:
    """Rows written for one business date."""

    business_date: str
    customers: int
    items: int
    interactions: int


def build_features(engine: Engine, settings: Settings, *, business_date: date) -> FeatureSummary:
    """Write the profiles of customers and items and the weighted interactions as of the end of ``business_date``.

    Reads events that occurred before the end of the date in the business's zone, whenever they landed. Replaces the
    date's rows of ``customer_features`` and ``item_features``, and all of ``interactions``, in one transaction: readers
    see the former rows until it commits, and a build that runs at the same time waits for this one.

    A weight is the sum, over distinct business days and event types, of the type's weight, halved with every
    ``half_life_days`` of age (exponential decay as in Cormode et al. 2009): how often a customer came back says more
    than how many pieces were in a basket. The columns' rules stand at their statements in ``sql/`` and above.

    Raises ValueError when ``features.event_weights`` names an unknown event type or holds a weight that is not finite.
    """
    parameters = _parameters(settings, business_date)
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        connection.execute(select(func.set_config("work_mem", WORK_MEMORY, True)))
        _run(connection, "create_staging_tables", {})
        _run(connection, "stage_customers", parameters)
        _run(connection, "stage_items", parameters)
        connection.execute(text("analyze feature_customers, feature_items"))
        _run(connection, "stage_activity", parameters)
        connection.execute(text("analyze activity"))
        _run(connection, "stage_pairs", parameters)
        connection.execute(text("analyze pairs"))
        _warn_of_replaced_zones(connection, settings)
        # In this order: a customer's price band reads the item profiles.
        interaction_rows = _replace(connection, interactions, None, parameters)
        item_rows = _replace(connection, item_features, business_date, parameters)
        customer_rows = _replace(connection, customer_features, business_date, parameters)
    return FeatureSummary(
        business_date=business_date.isoformat(),
        customers=customer_rows,
        items=item_rows,
        interactions=interaction_rows,
    )


def _parameters(settings: Settings, business_date: date) -> dict[str, Any]:
    """The bound values of all statements; each takes what it names."""
    features = settings.features
    return {
        "business_date": business_date,
        "end_of_day": day_bounds(business_date, settings.business_time_zone)[1],
        "business_time_zone": settings.business_time_zone,
        "customer_time_zone": settings.customer_time_zone,
        "event_types": list(EVENT_TYPES),
        "event_weights": _event_weights(features.event_weights),
        "half_life_days": features.half_life_days,
        "profile_days": features.profile_days,
        "favourite_categories": features.favourite_categories,
        "new_days": NEW_DAYS,
        "lapsed_days": LAPSED_DAYS,
        "lapsed_intervals": LAPSED_INTERVALS,
        "at_risk_days": AT_RISK_DAYS,
        "at_risk_intervals": AT_RISK_INTERVALS,
        "loyal_purchase_days": LOYAL_PURCHASE_DAYS,
        "loyal_interval_days": LOYAL_INTERVAL_DAYS,
        "usual_interval_days": USUAL_INTERVAL_DAYS,
        "low_price_below": LOW_PRICE_BELOW,
        "high_price_above": HIGH_PRICE_ABOVE,
    }


def _event_weights(configured: dict[str, float]) -> list[float]:
    """Weights in the order of ``EVENT_TYPES``; a type that is not configured weighs nothing."""
    unknown = sorted(set(configured) - set(EVENT_TYPES))
    if unknown:
        raise ValueError(
            f"features.event_weights names {', '.join(unknown)}, which no event has; "
            f"event types: {', '.join(EVENT_TYPES)}"
        )
    for event_type, weight in configured.items():
        if not math.isfinite(weight):
            raise ValueError(f"features.event_weights.{event_type} is {weight}; give it a finite number")
    return [float(configured.get(event_type, 0.0)) for event_type in EVENT_TYPES]


def _replace(connection: Connection, table: Table, business_date: date | None, parameters: dict[str, Any]) -> int:
    """Delete the rows of ``business_date`` (None: all rows) and write the new ones; how many.

    Not TRUNCATE: it would lock readers out, and one with an older snapshot would find the table empty.
    """
    former = delete(table)
    connection.execute(former if business_date is None else former.where(table.c.business_date == business_date))
    rows = _run(connection, f"write_{table.name}", parameters)
    connection.execute(text(f"analyze {table.fullname}"))  # the next stage's plans depend on the figures
    return rows


def _warn_of_replaced_zones(connection: Connection, settings: Settings) -> None:
    replaced = connection.execute(
        text(
            "select customers.time_zone, count(*)"
            " from marketing.customers inner join feature_customers using (customer_id)"
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


def _run(connection: Connection, name: str, parameters: dict[str, Any]) -> int:
    """Run ``sql/<name>.sql``; rows written."""
    started = time.perf_counter()
    rows = connection.execute(statement(__file__, name), parameters).rowcount
    if parameters:
        logger.info("%s: %d rows in %.3gs", name, rows, time.perf_counter() - started)
    return rows

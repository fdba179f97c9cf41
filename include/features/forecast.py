"""What customers will do in the days ahead: who will order nothing, and what the others will spend.

The models of ``lifetime`` are fitted anew each night to all history, to a draw of customers where there are many.
An order is a day with a purchase. Both models take every customer to go on at the pace and the spending of all their
history; what people did of late is therefore the other half of what is expected of them (``sql/combine_forecasts.sql``;
averages of forecasts: Bates & Granger 1969). Seasons are unknown to it all.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Column, Connection, Double, Integer, MetaData, Table, text

from include.db.copy import copy_in, copy_out
from include.db.sql import source, statement
from include.features.lifetime import (
    OrderModel,
    SpendModel,
    alive_probability,
    expected_order_value,
    expected_orders,
    fit_orders,
    fit_spend,
    no_order_probability,
)

logger = logging.getLogger(__name__)

MINIMUM_BUYERS = 100
MINIMUM_RETURNED = 30
"""Fewer buyers, or fewer who came back on a second day, say too little about the rest."""
DRAWN_BUYERS = 10_000
"""Four and three parameters are as well known from so many: of invented customers drawn again and again, what was
expected of all together moved by 1%, a customer's probability by 0.03 at most."""

HISTORY = ["orders", "days_since_first", "recency"]

order_forecasts = Table(
    "order_forecasts",
    MetaData(schema="pg_temp"),
    *(Column(name, Integer) for name in HISTORY),
    Column("alive_probability", Double),
    Column("churn_probability", Double),
    Column("expected_orders", Double),
    Column("expected_value", Double),
    Column("expected_value_per_spent", Double),
)


@dataclass(frozen=True)
class Forecast:
    """What was learned; ``said`` tells it, or why there is nothing to tell, in a sentence."""

    orders: OrderModel | None
    spend: SpendModel | None
    said: str


def forecast_orders(connection: Connection, parameters: dict[str, object]) -> Forecast:
    """Fill the temporary table ``outlooks`` from the totals; it stays empty when too little is known.

    parameters: business_date, business_time_zone and forecast_days of the build.
    """
    started = time.perf_counter()
    connection.execute(statement(__file__, "create_forecast_tables"))
    connection.execute(statement(__file__, "find_buyers"), parameters)
    found = connection.execute(statement(__file__, "describe_buyers")).one()
    horizon = int(str(parameters["forecast_days"]))
    lacking = _lacking(found.buyers, found.returned, found.history_days, horizon)
    forecast = Forecast(None, None, f"no forecast: {lacking}") if lacking else _fit(connection, found.buyers)
    if forecast.orders is not None:
        _write(connection, forecast.orders, forecast.spend, horizon)
        connection.execute(text("analyze buyers (orders, days_since_first, recency), order_forecasts"))
        connection.execute(statement(__file__, "combine_forecasts"), parameters)
    connection.execute(text("analyze outlooks (customer_no)"))
    logger.info("%s, in %.3gs", forecast.said, time.perf_counter() - started)
    return forecast


def _lacking(buyers: int, returned: int, history_days: int, horizon: int) -> str | None:
    """Why nothing can be said; None when it can."""
    if buyers < MINIMUM_BUYERS:
        return f"{buyers} customers ever bought, and {MINIMUM_BUYERS} are needed"
    if returned < MINIMUM_RETURNED:
        return f"{returned} customers bought on a second day, and {MINIMUM_RETURNED} are needed"
    if history_days < horizon:
        return f"the first purchase is {history_days} days old, and {horizon} days ahead are asked for"
    return None


def _fit(connection: Connection, buyers: int) -> Forecast:
    share = DRAWN_BUYERS / buyers
    connection.execute(
        statement(__file__, "draw_buyers"),
        {"everyone": share >= 1, "hash_below": f"{int(min(share, 1 - 2**-32) * 16**8):08x}"},
    )
    histories = copy_out(connection, source(__file__, "select_drawn_histories"))
    orders = fit_orders(*_triple(histories), histories["customers"])
    if orders is None:
        return Forecast(None, None, "no forecast: the search for the likeliest model of orders did not end")
    spent = copy_out(connection, source(__file__, "select_drawn_spend"))
    spend = None
    if spent["customers"].sum() >= MINIMUM_BUYERS:
        spend = fit_spend(spent["orders"], spent["amount"], spent["customers"])
    drawn = int(histories["customers"].sum())
    said = f"forecast from {drawn} of {buyers} customers who bought" + (
        "" if spend else "; no expected value: too few of them with a known price, or no likeliest model"
    )
    return Forecast(orders, spend, said)


def _write(connection: Connection, orders: OrderModel, spend: SpendModel | None, horizon: int) -> None:
    frame = copy_out(connection, source(__file__, "select_order_histories"))
    triple = _triple(frame)
    expected = expected_orders(orders, *triple, horizon)
    frame["alive_probability"] = alive_probability(orders, *triple)
    frame["churn_probability"] = no_order_probability(orders, *triple, horizon)
    frame["expected_orders"] = expected
    if spend is not None:
        # The value of an order grows in a straight line with what was spent.
        at_nothing = expected_order_value(spend, frame["orders"], 0.0)
        frame["expected_value"] = expected * at_nothing
        frame["expected_value_per_spent"] = expected * at_nothing / spend.v
    copy_in(connection, order_forecasts, frame)


def _triple(histories: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Purchases after the first, time from first to last, time from first to now."""
    return (
        histories["orders"] - 1,
        histories["days_since_first"] - histories["recency"],
        histories["days_since_first"],
    )

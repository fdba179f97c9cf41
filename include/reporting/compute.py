"""From the tables to ``campaign_results``, ``campaign_lift`` and ``campaign_roi``.

Everything is intent to treat: a customer belongs to the arm of the first assignment and counts there from the end of
that night on, messaged or not. A purchase counts in every campaign its customer is assigned to, so that arms can be
compared; only ``attributed_revenue`` credits each order once, and it is not causal. A customer's figures go on until
the business date, also after the campaign's last day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, delete, insert, text

from include.business_time import day_bounds
from include.db.sql import statement
from include.db.tables import EVERY_CAMPAIGN, campaign_lift, campaign_results, campaign_roi
from include.reporting.statistics import Mean, Ratio, compare, rate_interval
from include.reporting.verdicts import Arms, lift_verdict, roi_verdict
from include.settings import Settings

logger = logging.getLogger(__name__)

EVERY_CHANNEL = "all"
"""The channel in campaign_results of all channels together."""
MARGIN = "margin_per_customer"
METRICS = (MARGIN, "orders_per_customer", "revenue_per_customer")
COUNTS = ("assigned", "sent", "delivered", "opened", "clicked", "unsubscribed", "bounced", "orders")
TREATED, CONTROL, HOLDOUT = "treated", "control", "holdout"

Row = dict[str, Any]


@dataclass(frozen=True)
class ReportSummary:
    """Counts of one night's reports, all up to the end of ``business_date``."""

    business_date: str
    campaigns: int
    result_rows: int
    lift_rows: int
    roi_rows: int
    sent: int
    clicked: int
    includes_generated: bool


def compute_reports(engine: Engine, settings: Settings, *, business_date: date) -> ReportSummary:
    """Click rates, lift and ROI of every campaign with an assigned customer, up to the end of ``business_date``.

    Replaces the date's rows of the three tables in one transaction that reads one snapshot of the database.
    Money in the shop's currency, intervals at ``settings.reporting.confidence``. Raises ValueError when a campaign is
    called ``all``, the name reserved for the global holdout.
    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        _gather(connection, settings, business_date)
        results = [_result(row, settings) for row in _rows(connection, "results", business_date=business_date)]
        if any(row["campaign_id"] == EVERY_CAMPAIGN for row in results):
            raise ValueError(
                f"campaign_id {EVERY_CAMPAIGN!r} in marketing.campaigns is reserved for the global holdout's report: "
                "give the campaign another id and land it again"
            )
        arms = _arms_by_campaign(connection)
        lift = [row for campaign_id, by_arm in arms.items() for row in _lift(campaign_id, by_arm, settings)]
        touches = _attributed(connection, settings)
        roi = [
            _roi(row, arms[row["campaign_id"]].get(TREATED), touches.get(row["campaign_id"]))
            for row in lift
            if row["metric"] == MARGIN
        ]
        for table, rows in ((campaign_results, results), (campaign_lift, lift), (campaign_roi, roi)):
            _replace(connection, table, rows, business_date)
    everything = [row for row in results if row["channel"] == EVERY_CHANNEL]
    return ReportSummary(
        business_date=business_date.isoformat(),
        campaigns=len({row["campaign_id"] for row in results}),
        result_rows=len(results),
        lift_rows=len(lift),
        roi_rows=len(roi),
        sent=sum(int(row["sent"]) for row in everything),
        clicked=sum(int(row["clicked"]) for row in everything),
        includes_generated=any(row["includes_generated"] for row in (*results, *lift, *roi)),
    )


def _gather(connection: Connection, settings: Settings, business_date: date) -> None:
    """Fill this transaction's temporary tables: assignments, sends, engagements, orders, outcomes."""
    _, end_of_day = day_bounds(business_date, settings.business_time_zone)
    parameters = {"business_date": business_date, "end_of_day": end_of_day, "time_zone": settings.business_time_zone}
    connection.execute(text("select set_config('work_mem', '64MB', true)"))  # orders are grouped in memory, not on disk
    connection.execute(statement(__file__, "assignments"), parameters)
    assigned, since = connection.execute(
        text("select count(*), coalesce(min(assigned_at), :end_of_day) from report_assignments"), parameters
    ).one()
    logger.info("%d assignments; reading purchases from %s to %s", assigned, since, end_of_day)
    connection.execute(statement(__file__, "sends"), parameters)
    connection.execute(
        statement(__file__, "outcomes"),
        parameters | {"since": since, "default_margin_rate": settings.reporting.default_margin_rate},
    )


def _result(row: RowMapping, settings: Settings) -> Row:
    """A row of campaign_results from one of results.sql."""
    clicks = Ratio(
        n=row["customers_sent"],
        numerator_sum=float(row["clicked"]),
        numerator_sum_squares=float(row["clicked_squares"]),
        denominator_sum=float(row["sent"]),
        denominator_sum_squares=float(row["sent_squares"]),
        cross_sum=float(row["clicked_times_sent"]),
    )
    rate = rate_interval(clicks, settings.reporting.confidence)
    columns = ("campaign_id", "channel", "arm", *COUNTS, "revenue", "margin", "cost", "includes_generated")
    return {column: row[column] for column in columns} | {
        "click_rate": rate.value,
        "click_rate_low": rate.low,
        "click_rate_high": rate.high,
    }


def _arms_by_campaign(connection: Connection) -> dict[str, dict[str, RowMapping]]:
    """campaign_id → arm → row of arms.sql, the global holdout last."""
    campaigns: dict[str, dict[str, RowMapping]] = {}
    for row in _rows(connection, "arms"):
        campaigns.setdefault(row["campaign_id"] or EVERY_CAMPAIGN, {})[row["arm"]] = row
    return campaigns


def _lift(campaign_id: str, by_arm: dict[str, RowMapping], settings: Settings) -> list[Row]:
    """The rows of campaign_lift of one campaign, a metric each."""
    other = HOLDOUT if campaign_id == EVERY_CAMPAIGN else CONTROL
    treated_row, control_row = by_arm.get(TREATED), by_arm.get(other)
    compared = [row for row in (treated_row, control_row) if row is not None]
    if not compared:  # every candidate so far is in the global holdout
        return []
    arms = Arms(
        treated_n=treated_row["customers"] if treated_row else 0,
        control_n=control_row["customers"] if control_row else 0,
        treated_buyers=treated_row["buyers"] if treated_row else 0,
        control_buyers=control_row["buyers"] if control_row else 0,
        control_share=_control_share(campaign_id, compared, settings),
    )
    rows = []
    for metric in METRICS:
        treated, control = _mean(treated_row, metric), _mean(control_row, metric)
        comparison = compare(treated, control, settings.reporting.confidence)
        rows.append(
            {
                "campaign_id": campaign_id,
                "metric": metric,
                "treated_n": treated.n,
                "treated_mean": treated.mean if treated.n else None,
                "control_n": control.n,
                "control_mean": control.mean if control.n else None,
                "difference": comparison.difference,
                "ci_low": comparison.low,
                "ci_high": comparison.high,
                "p_value": comparison.p_value,
                "srm_p_value": arms.sample_ratio_p_value,
                "verdict": lift_verdict(arms, treated, control, comparison, settings.reporting),
                "includes_generated": any(row["includes_generated"] for row in compared),
            }
        )
    return rows


def _control_share(campaign_id: str, compared: list[RowMapping], settings: Settings) -> float | None:
    """The share customers were assigned to the control by; None when a former tool assigned them and none is given."""
    if campaign_id == EVERY_CAMPAIGN:
        return settings.scheduling.holdout_share
    given: float | None = compared[0]["control_share"]
    if given is not None:
        return given
    if any(row["from_history"] for row in compared):
        return None
    return settings.scheduling.default_control_share


def _mean(row: RowMapping | None, metric: str) -> Mean:
    if row is None:
        return Mean(0, 0.0, 0.0)
    return Mean(row["customers"], float(row[metric]), float(row[f"{metric}_squares"]))


def _attributed(connection: Connection, settings: Settings) -> dict[str, RowMapping]:
    rows = _rows(
        connection,
        "attribution",
        email_days=settings.reporting.attribution_days_email,
        push_hours=settings.reporting.attribution_hours_push,
    )
    return {row["campaign_id"] or EVERY_CAMPAIGN: row for row in rows}


def _roi(margin: Row, treated: RowMapping | None, touch: RowMapping | None) -> Row:
    """A row of campaign_roi: N_treated × difference in margin per customer, against the cost of what was sent.

    margin: the campaign's row of campaign_lift for the margin per customer, whose limits become those of the ROI.
    """
    cost = treated["cost"] if treated else Decimal(0)

    def roi(per_customer: float | None) -> float | None:
        return None if per_customer is None or cost == 0 else margin["treated_n"] * per_customer / float(cost) - 1

    low, high = roi(margin["ci_low"]), roi(margin["ci_high"])
    difference = margin["difference"]
    return {
        "campaign_id": margin["campaign_id"],
        "incremental_margin": None if difference is None else margin["treated_n"] * difference,
        "cost": cost,
        "roi": roi(difference),
        "roi_low": low,
        "roi_high": high,
        "attributed_revenue": touch["attributed_revenue"] if touch else Decimal(0),
        "verdict": roi_verdict(margin["verdict"], float(cost), low, high),
        "includes_generated": margin["includes_generated"] or bool(touch and touch["includes_generated"]),
    }


def _replace(connection: Connection, table: Table, rows: list[Row], business_date: date) -> None:
    connection.execute(delete(table).where(table.c.business_date == business_date))
    if rows:
        connection.execute(insert(table), [row | {"business_date": business_date} for row in rows])


def _rows(connection: Connection, name: str, **parameters: Any) -> list[RowMapping]:
    return list(connection.execute(statement(__file__, name), parameters).mappings())

"""The stage: check the landed data of a business date, write what was found, stop the run if it is not fit to use."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, delete, insert

from include.db.tables import quality_results
from include.quality.data_docs import write_data_docs
from include.quality.expectations import Finding, SuiteRun, run_suites
from include.quality.facts import gather_facts, schema_facts
from include.quality.own_expectations import InvalidExpectation, own_suites, write_own_failures
from include.quality.suites import EMAIL, LARGEST_AMOUNT, schema_suites, suites
from include.quality.unjudged import find_unjudged
from include.settings import Settings

logger = logging.getLogger(__name__)

_REASONS_SHOWN = 4
REMEDY = (
    "See quality_results, quality_failures and quarantined_rows; land corrected files under the same names and run the "
    "night again, or raise the limit under quality in the settings if the data are right."
)


class QualityGateFailed(Exception):
    """The data are not fit to learn or send from; the message is one line that says why."""


@dataclass(frozen=True)
class QualitySummary:
    """Counts of the checks of a business date that passed the gate."""

    checks: int
    passed: int
    warnings: int
    """Failed checks of severity warning."""


def check_data_quality(engine: Engine, settings: Settings, *, business_date: date) -> QualitySummary:
    """Run every suite for ``business_date``, replace its rows in quality_results, and stop a run that must not go on.

    Customers and items are judged as they are now, events and landing files since the last date that passed (see
    ``unjudged``), so a night that failed is judged with the next one.

    Raises QualityGateFailed when a critical check failed, or when any check, of whatever severity, could not be
    computed; the results, and the failing rows in quality_failures (see ``rules``), are committed before. Also when an
    expectation of the settings cannot be judged, and then nothing is.
    Row counts are critical checks, since value checks pass on no rows.
    """
    try:
        runs = _runs(engine, settings, business_date)
    except InvalidExpectation as error:
        raise QualityGateFailed(f"Quality gate cannot judge {business_date}: {error}") from None
    findings = [finding for run in runs for finding in run.findings]
    _write(engine, business_date, findings)
    write_data_docs(settings, business_date, runs)
    failed = [finding for finding in findings if not finding.success]
    for finding in failed:
        logger.warning("Quality %s, %s: %s", business_date, finding.check.severity, finding.message)
    stopping = [finding for finding in failed if finding.stops_the_run]
    if stopping:
        raise QualityGateFailed(_message(business_date, stopping))
    return QualitySummary(
        checks=len(findings),
        passed=len(findings) - len(failed),
        warnings=sum(finding.check.severity == "warning" for finding in failed),
    )


def _runs(engine: Engine, settings: Settings, business_date: date) -> list[SuiteRun]:
    with engine.begin() as connection:
        facts = schema_facts(connection)
        if any(fact.unexpected for fact in facts.values()):
            return run_suites(engine, schema_suites(), facts)
        unjudged = find_unjudged(connection, business_date)
        logger.info(
            "Judging %d files and the events after %s", len(unjudged.files), unjudged.last_passed or "the first day"
        )
        parameters = _parameters(settings) | unjudged.parameters(settings.business_time_zone)
        expected = settings.quality.expectations
        own = own_suites(engine, expected, parameters)
        facts |= gather_facts(connection, parameters, unjudged.newest_file)
        facts |= write_own_failures(connection, engine, business_date, expected, parameters)
    return run_suites(engine, suites(settings.quality) + own, facts)


def _parameters(settings: Settings) -> dict[str, str]:
    return {
        "currency": settings.currency.upper(),
        "email": EMAIL,
        "largest_amount": str(LARGEST_AMOUNT),
        "price_factor": str(settings.quality.price_outlier_factor),
        "quantity_factor": str(settings.quality.quantity_outlier_factor),
    }


def _message(business_date: date, stopping: list[Finding]) -> str:
    reasons = [finding.message for finding in stopping[:_REASONS_SHOWN]]
    if len(stopping) > _REASONS_SHOWN:
        reasons.append(f"and {len(stopping) - _REASONS_SHOWN} more")
    return f"Quality gate failed for {business_date}: {'; '.join(reasons)}; nothing was trained or planned. {REMEDY}"


def _write(engine: Engine, business_date: date, findings: list[Finding]) -> None:
    rows = [
        {
            "business_date": business_date,
            "table_name": finding.check.table_name,
            "expectation": finding.check.expectation,
            "column_name": finding.check.column,
            "severity": finding.check.severity,
            "success": finding.success,
            "observed_value": finding.observed_value,
            "unexpected_count": finding.unexpected_count,
            "message": finding.message,
        }
        for finding in findings
    ]
    with engine.begin() as connection:
        connection.execute(delete(quality_results).where(quality_results.c.business_date == business_date))
        connection.execute(insert(quality_results), rows)

"""Great Expectations run over Postgres: one ephemeral context, one SQL data source, one query per suite.

Great Expectations is imported inside the function, since that takes seconds. Nothing is sent anywhere and no file is
written: the context lives in memory and analytics are off.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

from include.db.sql import source
from include.quality.suites import Check, Suite, percent

NUMBERS = int | float | Decimal


@dataclass(frozen=True)
class Finding:
    """The outcome of a check."""

    check: Check
    success: bool
    observed_value: str | None
    unexpected_count: int
    message: str
    raised: bool
    """The check could not be computed at all; a failure whatever its severity."""

    @property
    def stops_the_run(self) -> bool:
        return self.raised or (self.check.severity == "critical" and not self.success)


@dataclass(frozen=True)
class SuiteRun:
    """What came of a suite, in the order of its checks."""

    suite: Suite
    findings: tuple[Finding, ...]
    results: tuple[Any, ...]
    """Great Expectations' own ExpectationValidationResult of each check, None where it returned none."""


def run_suites(
    engine: Engine, suites: tuple[Suite, ...], parameters: dict[str, str], failing: dict[str, int]
) -> list[SuiteRun]:
    """What came of each suite, in their order.

    ``parameters`` are the bound values of their queries; ``failing`` the failing rows by the name of their rule.
    """
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context: Any = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    with warnings.catch_warnings():
        # It advises its own Postgres data source, which refuses a URL that names a Unix socket.
        warnings.filterwarnings("ignore", message="You are using a generic SQLDatasource")
        source = context.data_sources.add_sql(
            name="marketing",
            connection_string=engine.url.render_as_string(hide_password=False),
            create_temp_table=False,
            kwargs={
                "hide_parameters": True,
                "connect_args": {"options": "-c timezone=UTC", "application_name": "lamplighter quality"},
            },
        )
    try:
        return [_run(context, source, engine, suite, parameters, failing) for suite in suites]
    finally:
        # Both: the source's own engine and that of its metrics hold a connection each.
        source.get_execution_engine().close()
        source.get_engine().dispose()


def _run(
    context: Any, source: Any, engine: Engine, suite: Suite, parameters: dict[str, str], failing: dict[str, int]
) -> SuiteRun:
    import great_expectations

    asset = source.add_query_asset(name=suite.name, query=_query(engine, suite.name, parameters))
    expectations = [
        getattr(great_expectations.expectations, check.expectation)(
            **check.arguments,
            **({"column": check.column} if check.column else {}),
            severity=check.severity,
            meta={"check": position},
        )
        for position, check in enumerate(suite.checks)
    ]
    definition = context.validation_definitions.add(
        great_expectations.ValidationDefinition(
            name=suite.name,
            data=asset.add_batch_definition_whole_table("all rows"),
            suite=context.suites.add(great_expectations.ExpectationSuite(name=suite.name, expectations=expectations)),
        )
    )
    outcome = definition.run(result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    by_position = {result.expectation_config.meta["check"]: result for result in outcome.results}
    results = tuple(by_position.get(position) for position in range(len(suite.checks)))
    findings = tuple(_finding(check, result, failing) for check, result in zip(suite.checks, results, strict=True))
    return SuiteRun(suite, findings, results)


def _query(engine: Engine, name: str, parameters: dict[str, str]) -> str:
    """The query with its values as quoted literals, since Great Expectations binds none; it must start with SELECT."""
    lines = source(__file__, name).splitlines()
    statement = text("\n".join(line for line in lines if not line.lstrip().startswith("--")))
    used = {key: value for key, value in parameters.items() if key in statement.compile().params}
    bound = statement.bindparams(**used)
    return str(bound.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))


def _finding(check: Check, result: Any, failing: dict[str, int]) -> Finding:
    problem = "Great Expectations returned no result" if result is None else _exception(result.exception_info)
    if problem is not None:
        message = f"{check.table_name}: {check.expectation} on {check.column_name or 'rows'} failed: {problem}"
        return Finding(check, False, None, 0, message, raised=True)
    facts = result.result
    observed = facts.get("observed_value")
    unexpected = failing.get(check.rule, 0) if check.rule else int(facts.get("unexpected_count") or 0)
    rows = int(facts.get("element_count") or 0) - int(facts.get("missing_count") or 0)
    share = unexpected / rows if rows else 0.0
    words = check.says.format(
        rows=f"{rows:,}",
        count=f"{unexpected:,}",
        share=percent(share),
        observed=_shown(observed),
        observed_share=percent(float(observed or 0)) if isinstance(observed, NUMBERS | None) else "",
    )
    value = f"{share:.4f}" if observed is None else _shown(observed).replace(",", "")
    return Finding(check, bool(result.success), value, unexpected, f"{check.table_name}: {words}", raised=False)


def _exception(information: dict[str, Any] | None) -> str | None:
    """First line of an exception, which Great Expectations reports either for the check or for each of its metrics."""
    if not information:
        return None
    reports = [information] if "raised_exception" in information else list(information.values())
    for report in reports:
        if report.get("raised_exception"):
            return str(report.get("exception_message") or "unknown error").strip().splitlines()[0]
    return None


def _shown(value: Any) -> str:
    """A number as people read it; other values may be somebody's, and are not shown."""
    if value is None:
        return "no"
    if isinstance(value, list | tuple | set):
        return f"{len(value):,} values"
    if not isinstance(value, NUMBERS):
        return "a value that is no number"
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"
